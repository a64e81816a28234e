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

-- Writes a key without changing it. `WAIT` waits for the last write of its connection, and to newer versions of Redis a call
-- that only found what another connection wrote is none.
local function touch(key)
  local life = redis.call('PTTL', key)
  if life > 0 then
    redis.call('PEXPIRE', key, life)
  end
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

-- How long a tracked channel is remembered that no node renews: until a node is there again that tells of its members.
local TRACKED, CHANGES = 24 * 3600 * 1000, 100000

-- Writes down a change of the members of a tracked channel: J joined, L left, D its node died. At the bound the oldest
-- are given up: says how many.
local function note(changes, kind, count, member)
  local lost = math.max(redis.call('XLEN', changes) + 1 - CHANGES, 0)
  redis.call('XADD', changes, 'MAXLEN', CHANGES, '*', 'k', kind, 'c', whole(math.max(count, 0)), 'm', member)
  redis.call('PEXPIRE', changes, TRACKED)
  return lost
end

-- Renews the lease of a node on the members of a channel. Field `d` is no later than the end of any lease there, so that
-- `prune`, which alone moves it up, need not look at them before. Says whether there was none: 1 or 0.
local function renew(members, node, lease)
  local till, first = clock() + lease, tonumber(redis.call('HGET', members, 'd'))
  local is_new = redis.call('HSET', members, 'n' .. node, whole(till))
  if first and till < first then
    redis.call('HSET', members, 'd', whole(till))
  end
  return is_new
end

-- Takes out the members of nodes that let their lease run out. Says how many changes were given up for that.
local function prune(members, changes, publish, live)
  local now, due = clock(), tonumber(redis.call('HGET', members, 'd'))
  if due and due > now then
    return 0
  end
  local all, gone, any, first = redis.call('HGETALL', members), {}, false, nil
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'n' then
      local till = tonumber(all[i + 1])
      if till <= now then
        gone[string.sub(all[i], 2)] = true
        any = true
        redis.call('HDEL', members, all[i])
      else
        first = math.min(till, first or till)
      end
    end
  end
  if first then
    redis.call('HSET', members, 'd', whole(first))
  end
  if not any then
    return 0
  end
  local tracked, lost = redis.call('EXISTS', changes) == 1, 0
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'm' and gone[string.sub(all[i + 1], 1, 32)] then
      local member = string.match(all[i + 1], '^%x+ %d+ (.*)$')
      redis.call('HDEL', members, all[i])
      local left = redis.call('HINCRBY', members, 'c', -1)
      redis.call(publish, live, 'L' .. member)
      if tracked then
        lost = lost + note(changes, 'D', left, member)
      end
    end
  end
  if (tonumber(redis.call('HGET', members, 'c')) or 0) <= 0 then
    redis.call('DEL', members)
  end
  return lost
end
