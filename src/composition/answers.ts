/**
 * Listeners are to give clients no answer, and the system does not let lb4 do that: says so in an event.
 *
 * Place: called by planes.ts at the start and with each configuration.
 */
import type { Config } from '../config/schema/schema.ts';
import type { DataPlaneMaking } from '../host/build-data-plane.ts';
import type { Events } from '../model/events.ts';

export function reportAnswers(
  { listeners }: Config,
  silence: DataPlaneMaking['silence'],
  events: Events,
): void {
  if (silence === 'full') return;
  const how = silence === 'routed' ? 'resetNearby' : 'reset';
  for (const { name, access = [], whenDenied } of listeners) {
    const drops = access.some(({ deny }) => deny === 'drop' || (deny !== 'reset' && whenDenied === 'drop'));
    if (drops) events.emit('listener:answersDenied', { listener: name, how });
  }
}
