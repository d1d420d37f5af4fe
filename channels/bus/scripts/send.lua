-- Publish one body to the live connections of users, past all streams. Includes deliver.lua.
--
-- KEYS[1]: registry hash. ARGV: prefix of the processes' channels, body, then user ids (8 bytes each).
-- Returns the number of users online.

local users = {}
for index = 3, #ARGV do users[index - 2] = ARGV[index] end
local online = deliver(KEYS[1], ARGV[1], users, 0, ARGV[2])
return online
