-- Looks after a channel that a node follows or has members in: says where it stands, keeps its meta alive, renews the
-- node's lease and takes out the members of nodes that let theirs run out, with how many changes were given up for that.
-- KEYS: meta, log, members, changes.
-- ARGV: fence, new epoch, life of a new epoch, publish command, live channel, node or '', lease.
local meta, log, members, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
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
    renew(members, node, tonumber(lease))
    local tracked = redis.call('PEXPIRE', changes, TRACKED) == 1
    redis.call('PEXPIRE', members, tracked and TRACKED or tonumber(lease) * 2)
  end
end
return {epoch, whole(offset), origin, renewed, prune(members, changes, publish, live)}
