#!/usr/bin/env node
/** The `lb4` command: hands the arguments to the command line and takes its exit code. */
