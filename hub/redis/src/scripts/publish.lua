-- Publishes an event: idempotency, epoch, offset, history and message, all or nothing.
-- KEYS: meta, and log where there is history. An entry of the log is `<offset>-0`, with `x` its expiry and `e` its event.
-- ARGV: fence, new epoch, event id, event, history size, life of the event, life of the history, life of the epoch,
--       publish command, live channel, log, idempotency key or '', its window.
-- A log without history and the idempotency key are in the slot of KEYS but not among them: while a slot migrates,
-- Redis refuses calls whose declared keys do not all exist, and these rarely do.
local fence, fresh, id, event = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local size, event_life, log_life, life = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local publish, live, log, idempotency, window = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local meta = KEYS[1]

local epoch, offset, origin, known_life = stand(meta, log, fence, fresh)
if idempotency ~= '' then
  local known = redis.call('GET', idempotency)
  -- A key counts in its own epoch: what it published in another is gone from history, and was announced as lost.
  if known and origin == KEPT then
    local first, first_epoch, first_offset = string.match(known, '^(%x+) (%w+) (%d+)$')
    if first_epoch == epoch then
      touch(idempotency)
      return {first, first_epoch, first_offset, 1, KEPT}
    end
  end
end
if origin ~= KEPT then
  begin(meta, log, fence, epoch, life)
end
local next_offset = whole(offset + 1)
if size > 0 then
  local expiry = whole(clock() + event_life)
  local added = redis.pcall('XADD', log, 'MAXLEN', size, next_offset .. '-0', 'x', expiry, 'e', event)
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller') then
      return added
    end
    -- History is ahead of the counter: one of the two was restored or lost on its own.
    epoch, origin, next_offset = fresh, ORPHANED, '1'
    begin(meta, log, fence, epoch, life)
    redis.call('XADD', log, 'MAXLEN', size, '1-0', 'x', expiry, 'e', event)
  end
  redis.call('PEXPIRE', log, log_life)
end
redis.call('HSET', meta, 'offset', next_offset)
if known_life ~= life then
  redis.call('HSET', meta, 'life', life)
end
redis.call('PEXPIRE', meta, life)
if idempotency ~= '' then
  redis.call('SET', idempotency, id .. ' ' .. epoch .. ' ' .. next_offset, 'PX', window)
end
redis.call(publish, live, 'E' .. epoch .. '-' .. next_offset .. '\n' .. event)
return {id, epoch, next_offset, 0, origin}
