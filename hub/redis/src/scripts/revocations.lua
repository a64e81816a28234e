-- Lists revocations in the order of their coming.
-- KEYS: ends, orders, mark (see revoke.lua). ARGV: fence, known epoch or '', number after which to list, most of them, new
-- epoch.
-- Answers epoch or '', last number, 1 if the known epoch is another or went further, `revocation, end` pairs, 1 if there
-- are more.
local ends, orders = KEYS[1], KEYS[2]
local mark = redis.call('HMGET', KEYS[3], 'epoch', 'count', 'fence')
local epoch, last = mark[1] or '', mark[2] or '0'
if mark[1] and mark[3] ~= ARGV[1] then
  epoch = ARGV[5]
  redis.call('HSET', KEYS[3], 'epoch', epoch, 'fence', ARGV[1])
end
local anew = ARGV[2] ~= '' and (ARGV[2] ~= epoch or tonumber(ARGV[3]) > tonumber(last))
local after, limit = anew and '0' or ARGV[3], tonumber(ARGV[4])
local page = redis.call('ZRANGEBYSCORE', orders, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit + 1)
local more, listed, now = #page / 2 > limit, {}, clock()
for i = 1, math.min(#page, 2 * limit), 2 do
  if more then
    last = page[i + 1]
  end
  local till = redis.call('ZSCORE', ends, page[i])
  if till and tonumber(till) > now then
    listed[#listed + 1] = page[i]
    listed[#listed + 1] = till
  end
end
return {epoch, last, anew and 1 or 0, listed, more and 1 or 0}
