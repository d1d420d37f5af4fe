-- Store scores of photos, unless a newer state of the photo is stored, and keep only the highest ones.
--
-- KEYS: the ranking (sorted set), the versions (hash), those that were among the top before (set).
-- ARGV: how many are kept, how many are the top, then (member, version, score) of each photo; an empty score removes it.
-- A removed photo keeps its version, so that an older state does not return it. Returns the members that are among the
-- top now and were not before, within a day.

local kept, top = tonumber(ARGV[1]), tonumber(ARGV[2])
local changed = {}
for at = 3, #ARGV, 3 do
  local member, version, score = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local known = redis.call('HGET', KEYS[2], member)
  if not known or tonumber(known) <= tonumber(version) then
    redis.call('HSET', KEYS[2], member, version)
    if score == '' then
      redis.call('ZREM', KEYS[1], member)
    else
      redis.call('ZADD', KEYS[1], score, member)
      changed[#changed + 1] = member
    end
  end
end

local excess = redis.call('ZCARD', KEYS[1]) - kept
if excess > 0 then
  local lowest = redis.call('ZPOPMIN', KEYS[1], excess)
  for at = 1, #lowest, 2 do redis.call('HDEL', KEYS[2], lowest[at]) end
end
-- Versions of removed photos are forgotten when there are too many; their states are on no way any more by then.
if redis.call('HLEN', KEYS[2]) > 2 * kept then
  for _, member in ipairs(redis.call('HKEYS', KEYS[2])) do
    if not redis.call('ZSCORE', KEYS[1], member) then redis.call('HDEL', KEYS[2], member) end
  end
end

local entered = {}
for _, member in ipairs(changed) do
  local rank = redis.call('ZREVRANK', KEYS[1], member)
  if rank and rank < top and redis.call('SADD', KEYS[3], member) == 1 then entered[#entered + 1] = member end
end
if #entered > 0 and redis.call('TTL', KEYS[3]) < 0 then redis.call('EXPIRE', KEYS[3], 86400) end
return entered
