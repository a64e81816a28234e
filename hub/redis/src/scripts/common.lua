-- Shared by all scripts that read or move a channel's position; stands before each of them.

-- The clock of Redis, in milliseconds: nodes need not agree about the time.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Numbers as Redis shall read them: never in exponent notation.
local function whole(number)
  return string.format('%.0f', number)
end

-- Where a channel stands: epoch, offset, how its epoch came to be (KEPT, CREATED, ORPHANED, FENCED), life of its meta.
-- Without usable meta, or with meta of another history of Redis, a new epoch starts and what was kept goes: its
-- offsets may be given away a second time otherwise.
local KEPT, CREATED, ORPHANED, FENCED = 0, 1, 2, 3
local function stand(meta, log, fence, epoch)
  local kept = redis.call('HMGET', meta, 'epoch', 'offset', 'fence', 'life')
  local offset = tonumber(kept[2])
  if kept[1] and offset and kept[3] == fence then
    return kept[1], offset, KEPT, kept[4]
  end
  local origin = CREATED
  if kept[3] and kept[3] ~= fence then
    origin = FENCED
  -- Also an error, before anything is changed, if a foreign value stands there.
  elseif redis.call('XLEN', log) > 0 or kept[1] then
    origin = ORPHANED
  end
  return epoch, 0, origin, kept[4]
end

-- Starts the epoch that `stand` announced.
local function begin(meta, log, fence, epoch, life)
  redis.call('XLEN', log)
  redis.call('DEL', log)
  redis.call('HSET', meta, 'epoch', epoch, 'offset', '0', 'fence', fence, 'life', life)
  redis.call('PEXPIRE', meta, life)
end
