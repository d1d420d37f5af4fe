-- Check whether a session was revoked, and charge one quota unless it was.
--
-- KEYS: the session's revocation, the quota. ARGV: limit, window in µs, cost.
-- Returns: revoked, allowed, remaining, µs until full again, µs until the cost would be allowed.

local revoked, now = redis.call('EXISTS', KEYS[1]), gcra_now()
local result = gcra_check(KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), now)
if revoked == 0 and result.allowed == 1 then gcra_charge(KEYS[2], result, now) end
local reply = gcra_reply(result)
table.insert(reply, 1, revoked)
return reply
