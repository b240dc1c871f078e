/**
 * `Names` for Node's own sockets: the `lookup` option of net.connect and tls.connect.
 *
 * Place: connections whose name Node resolves, such as those to Redis.
 */
import { isIP, type LookupFunction } from 'node:net';
import { NameError, type Lookup } from './names.ts';

export function netLookup(lookup: Lookup): LookupFunction {
  return (host, { family, all }, done) => {
    lookup(host).then(
      ({ addresses }) => {
        const wanted = [4, 'IPv4'].includes(family ?? 0) ? 4 : [6, 'IPv6'].includes(family ?? 0) ? 6 : 0;
        const fitting = addresses
          .map(address => ({ address, family: isIP(address) }))
          .filter(each => wanted === 0 || each.family === wanted);
        const [first] = fitting;
        if (first === undefined) done(new NameError(host, 'ENODATA'), '', 0);
        else if (all === true) done(null, fitting);
        else done(null, first.address, first.family);
      },
      (error: unknown) => done(error as NodeJS.ErrnoException, ''),
    );
  };
}
