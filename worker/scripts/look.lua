#!lua flags=allow-oom
-- How jobs stand, for those who await them. Arguments: who awaits (joins where a job is not over), or nothing; then IDs.
-- Answers for each: state (0 none, 1 under way, 2 over, 3 over and to be asked for again: the answer is full), and the notice of what
-- became of it.
local asker = arg()
local found, bytes = {}, 0
for i = 2, #ARGV do
  local key = jobKey(arg())
  local h = call('HMGET', key, 'd', 's', 'r', 'k')
  local state, notice = 1, ''
  if not h[1] then
    state = 0
  elseif h[2] then
    state = 3
    if bytes < replyMax then state, notice = 2, h[3] end
    bytes = bytes + #notice
  elseif asker ~= '' then
    add_asker(key, h[4], asker)
  end
  found[#found + 1], found[#found + 2] = state, notice
end
return found
