/**
 * Builds the planes of a balancer, and connects them with the events that its subscribers see.
 *
 * Place: a part of `load-balancer.ts`, at each start.
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/schema/schema.ts';
import type { Clocks } from '../host/build-data-plane.ts';
import type { Events } from '../model/events.ts';
import type { Names } from '../names/names.ts';
import { Planes, type PlanesDeps } from './planes.ts';
import { tellShortage } from './shortage.ts';
import { translateInto } from './translate-events.ts';

export interface PlanesBuilding extends Pick<
  PlanesDeps,
  'slots' | 'passed' | 'inheritance' | 'baseDir' | 'whenIdle'
> {
  readonly clocks: Clocks;
  readonly events: Events;
  readonly names: Names;
  /** What is recorded of sessions may be another thing now. */
  onInterest(planes: Planes): void;
}

/** Opens nothing yet. Throws LB4_ENGINE_UNAVAILABLE. */
export function buildPlanes(config: Config, building: PlanesBuilding): Planes {
  const { events, names } = building;
  // The planes exist before anything is reported.
  const report = translateInto({ events, planes: () => planes });
  const planes: Planes = new Planes(config, {
    ...{ ...building, report, randomBytes },
    lookup: host => names.lookup(host),
  });
  building.onInterest(planes);
  events.watchInterest(name => {
    if (name === 'session:closed') building.onInterest(planes);
  });
  events.emit('engine:chosen', planes.choice);
  tellShortage(planes.limits, events);
  return planes;
}
