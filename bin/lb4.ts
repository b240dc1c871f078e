#!/usr/bin/env node
/** The `lb4` command: hands the arguments to the command line and takes its exit code. */
import { main } from '../src/cli/program.ts';

process.exitCode = await main(process.argv.slice(2));
