#!lua flags=allow-oom
-- Notes how far a job has come. Arguments: ID, token, worker, progress. Answers its askers; 0 where another worker has it.
local id, token, worker, progress = arg(), arg(), arg(), arg()
local key = jobKey(id)
local h = call('HMGET', key, 't', 'w', 'k')
if h[1] ~= token or h[2] ~= worker then return 0 end
call('HSET', key, 'q', progress)
return h[3] or ''
