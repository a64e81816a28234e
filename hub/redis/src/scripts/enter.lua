-- Makes a connection a member of a channel. Done again, it changes nothing and tells nobody.
-- Answers how many changes were given up for that, whether the node had no lease here, so that Redis has none of its
-- members but this one, and whether anything changed.
-- KEYS: members, changes. ARGV: (fence), node, lease, connection, member, publish command, live channel, tracked or ''.
-- Fields: `n<node>` its lease's end, `m<connection>` as `<node> <order of joining> <member>`, `#` the last order,
-- `c` the number of members, `d` no later than the end of any lease.
local members, node, lease, field, member = KEYS[1], ARGV[2], tonumber(ARGV[3]), 'm' .. ARGV[4], ARGV[5]
local is_new = renew(members, node, lease)
local lost, tracked = 0, ARGV[8] ~= '' or redis.call('EXISTS', KEYS[2]) == 1
local of, known = string.match(redis.call('HGET', members, field) or '', '^(%x+) %d+ (.*)$')
local is_news = of ~= node or known ~= member
if is_news then
  local order = redis.call('HINCRBY', members, '#', 1)
  if redis.call('HSET', members, field, node .. ' ' .. whole(order) .. ' ' .. member) == 1 then
    local count = redis.call('HINCRBY', members, 'c', 1)
    if tracked then
      lost = note(KEYS[2], 'J', count, member)
    end
  end
  redis.call(ARGV[6], ARGV[7], 'J' .. member)
end
-- Twice the lease: until then a node that follows the channel finds the members of a dead node, and tells of them.
redis.call('PEXPIRE', members, tracked and TRACKED or lease * 2)
return {lost, is_new, is_news and 1 or 0}
