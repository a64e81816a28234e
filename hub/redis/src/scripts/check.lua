-- Looks after a channel that a node follows or has members in: says where it stands, keeps its meta alive, renews the
-- node's lease and takes out the members of nodes that let theirs run out.
-- KEYS: meta, log, members.
-- ARGV: fence, new epoch, life of a new epoch, publish command, live channel, node or '', lease.
local meta, log, members = KEYS[1], KEYS[2], KEYS[3]
local publish, live, node, lease = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local epoch, offset, origin, life = stand(meta, log, ARGV[1], ARGV[2])
if origin ~= KEPT then
  begin(meta, log, ARGV[1], epoch, ARGV[3])
elseif life and redis.call('PTTL', meta) * 2 < tonumber(life) then
  redis.call('PEXPIRE', meta, life)
end

local renewed = 1
if node ~= '' then
  renewed = redis.call('HEXISTS', members, 'n' .. node)
  if renewed == 1 then
    redis.call('HSET', members, 'n' .. node, whole(clock() + tonumber(lease)))
    redis.call('PEXPIRE', members, tonumber(lease) * 2)
  end
end
if redis.call('EXISTS', members) == 1 then
  local now, all, gone, any = clock(), redis.call('HGETALL', members), {}, false
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 'n' and tonumber(all[i + 1]) <= now then
      gone[string.sub(all[i], 2)] = true
      any = true
      redis.call('HDEL', members, all[i])
    end
  end
  local left = 0
  for i = 1, any and #all or 0, 2 do
    if string.sub(all[i], 1, 1) == 'm' and gone[string.sub(all[i + 1], 1, 32)] then
      redis.call('HDEL', members, all[i])
      redis.call(publish, live, 'L' .. string.match(all[i + 1], '^%x+ %d+ (.*)$'))
      left = left - 1
    end
  end
  if any and redis.call('HINCRBY', members, 'c', left) <= 0 then
    redis.call('DEL', members)
  end
end
return {epoch, whole(offset), origin, renewed}
