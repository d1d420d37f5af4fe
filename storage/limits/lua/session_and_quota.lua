-- Tell whether a session has ended, and charge one quota unless it has.
--
-- KEYS: the session's revocation, the quota. ARGV: limit, window in µs.
-- Answers: revoked, allowed, remaining, µs until full again, µs until one would pass.

local revoked, now = redis.call('EXISTS', KEYS[1]), gcra_now()
local verdict = gcra_judge(KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), 1, now)
if revoked == 0 and verdict.allowed == 1 then gcra_charge(KEYS[2], verdict, now) end
local answer = gcra_answer(verdict)
table.insert(answer, 1, revoked)
return answer
