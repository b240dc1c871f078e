/**
 * What a connection is made of: its socket, what is known of the peer, and what the connections of one node engine
 * share.
 */
import type { OnReadOpts, Socket } from 'node:net';

import type { SetTimer } from '../../support/timer.ts';
import type { Room } from '../room.ts';
import type { ReadBuffers } from './read-buffers.ts';
import type { Turns } from './turns.ts';

/** What is known of the peer when the connection is made. */
export interface Peer {
  readonly kind: 'tcp' | 'unix';
  readonly address: string;
  readonly port: number;
}

export interface ConnectionDeps {
  readonly setTimer: SetTimer;
  /** Where `finish` takes a place for as long as it waits for the peer. */
  readonly room: Room;
  readonly buffers: ReadBuffers;
  readonly turns: Turns;
}

/** Makes the socket of a connection: not flowing, and reading as `onread` says. */
export type MakeSocket = (onread: OnReadOpts) => Socket;
