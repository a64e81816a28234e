// From what a handler, guard or pipe throws to what the client gets: a code, whose name is the client's `reason`, and a message.

import grpc from '@grpc/grpc-js';
import { type ArgumentsHost, Catch, HttpException, type RpcExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';

const { status } = grpc;

/** What Nest says when a guard returns false. */
const FORBIDDEN = 'Forbidden resource';

const CODES: Record<number, grpc.status> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.FAILED_PRECONDITION,
  413: status.INVALID_ARGUMENT,
  422: status.INVALID_ARGUMENT,
  429: status.RESOURCE_EXHAUSTED,
  501: status.UNIMPLEMENTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** `RpcException({ code, message })` says both itself; a bare text, or what Nest makes of other errors, says no code. */
export function errorOf(error: { code?: number; message?: string }): { code: number; message: string } {
  const { code, message = 'Internal server error' } = error;
  if (code !== undefined) return { code, message };
  if (message === FORBIDDEN) return { code: status.PERMISSION_DENIED, message };
  return { code: message === 'Internal server error' ? status.INTERNAL : status.UNKNOWN, message };
}

/** Lets pipes and services throw what they throw under HTTP: without it Nest makes "Internal server error" of that. */
@Catch(HttpException)
export class HttpToHubFilter implements RpcExceptionFilter<HttpException> {
  catch(exception: HttpException, _host: ArgumentsHost): Observable<never> {
    const response = exception.getResponse();
    const messages = typeof response === 'object' && 'message' in response ? response.message : exception.message;
    const message = Array.isArray(messages) ? messages.join('; ') : String(messages);
    return throwError(() => ({ code: CODES[exception.getStatus()] ?? status.INTERNAL, message }));
  }
}
