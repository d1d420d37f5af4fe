-- Note that a process lives, and find those that have fallen silent.
-- KEYS[1] when each live process last said that it lives; ARGV: process id, milliseconds of silence after which one
-- counts as dead, and 1 if the caller will take care of such, else 0.
-- A dead process is given to one caller, and again to another after as long a silence if it is still there.
-- Returns whether the process was not known, and id and last millisecond of each dead one.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local stamp = string.format('%.0f', now_ms)

local fresh = redis.call('ZADD', KEYS[1], stamp, ARGV[1])
local dead = {}
if ARGV[3] == '1' then
  dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now_ms - ARGV[2]), 'WITHSCORES')
  for i = 1, #dead, 2 do
    redis.call('ZADD', KEYS[1], stamp, dead[i])
  end
end

return { fresh, dead }
