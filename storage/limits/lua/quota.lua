-- Charge several quotas together: all of them, or, if one is used up, none.
--
-- KEYS: one for each quota. ARGV: cost, 1 to charge or 0 to look only, then limit and window in µs for each.
-- Answers for each: allowed, remaining, µs until full again, µs until the cost would pass.

local cost, now = tonumber(ARGV[1]), gcra_now()
local verdicts, answers, all = {}, {}, ARGV[2] == '1'
for index, key in ipairs(KEYS) do
  local verdict = gcra_judge(key, tonumber(ARGV[index * 2 + 1]), tonumber(ARGV[index * 2 + 2]), cost, now)
  verdicts[index], answers[index] = verdict, gcra_answer(verdict)
  all = all and verdict.allowed == 1
end
for index, key in ipairs(KEYS) do
  if all then gcra_charge(key, verdicts[index], now) end
end
return answers
