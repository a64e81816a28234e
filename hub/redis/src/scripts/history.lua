-- Reads a page of history with the state of the channel at the same moment.
-- KEYS: meta, log.
-- ARGV: fence, new epoch, life of a new epoch, 'after' or 'before', bound (an entry id), most events, most bytes.
local meta, log = KEYS[1], KEYS[2]
local forward, bound, limit, bytes_max = ARGV[4] == 'after', ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])

local epoch, offset, origin = stand(meta, log, ARGV[1], ARGV[2])
if origin ~= KEPT then
  begin(meta, log, ARGV[1], epoch, ARGV[3])
end

local now = clock()
local function expired(entry)
  -- What is not the hub's has none.
  return (tonumber(entry[2][2]) or 0) <= now
end

-- What is too old at the front goes for good, so that each entry is passed over once.
local oldest, last, count = nil, nil, 1
repeat
  local front = redis.call('XRANGE', log, last and '(' .. last or '-', '+', 'COUNT', count)
  for _, entry in ipairs(front) do
    if not expired(entry) then
      oldest = entry[1]
      break
    end
    last = entry[1]
  end
  local ended = #front < count
  count = 64
until oldest or ended
if last then
  if oldest then
    redis.call('XTRIM', log, 'MINID', oldest)
  else
    redis.call('XTRIM', log, 'MAXLEN', 0)
  end
end
oldest = oldest and string.match(oldest, '^%d+') or whole(offset + 1)

local events, taken, bytes, more = {}, 0, 0, false
repeat
  local chunk = math.min(limit - taken + 1, 64)
  local entries
  if forward then
    entries = redis.call('XRANGE', log, bound, '+', 'COUNT', chunk)
  else
    entries = redis.call('XREVRANGE', log, bound, '-', 'COUNT', chunk)
  end
  for _, entry in ipairs(entries) do
    bound = '(' .. entry[1]
    if not expired(entry) then
      local event = entry[2][4] or ''
      -- No less than the event will cost in the memory of the node.
      bytes = bytes + 512 + 2 * #event
      if taken >= limit or (bytes > bytes_max and taken > 0) then
        more = true
        break
      end
      taken = taken + 1
      events[2 * taken - 1] = string.match(entry[1], '^%d+')
      events[2 * taken] = event
    end
  end
until more or #entries < chunk
return {epoch, whole(offset), oldest, more and 1 or 0, origin, events}
