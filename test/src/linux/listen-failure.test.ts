/** Why a bind failed, in plain words. */
import t from 'tap';
import { listenFailure } from '../../../src/linux/listen-failure.ts';

function words(host: string): string {
  const cause = Object.assign(new Error('bind EINVAL'), { code: 'EINVAL' });
  return listenFailure({ kind: 'tcp', host, port: 80 }, cause).message;
}

void t.test(
  'a link-local address without its interface, or with one that is not there, is told as that',
  t => {
    t.match(words('fe80::1'), /EINVAL, it belongs to an interface, as in \[fe80::1%eth0\]$/);
    t.match(words('fe80::1%eth9'), /EINVAL, there is no interface eth9 with an address of this kind$/);
    t.match(words('10.0.0.1'), /EINVAL, bind EINVAL$/);
    t.end();
  },
);
