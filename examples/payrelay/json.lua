-- As much JSON as a client needs: it reads everything, and writes objects, texts, numbers and booleans.
local json = {}

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local value -- value(s, at): the value that begins at a place of s, and the place behind it

-- character reads the four digits of \uXXXX. A character beyond U+FFFF comes as two of them (RFC 8259, section 7).
local function character(s, at)
  local code = tonumber(s:match("^%x%x%x%x", at), 16)
  local low = s:match("^\\u([dD][c-fC-F]%x%x)", at + 4)
  if code & 0xFC00 == 0xD800 and low then
    return utf8.char(0x10000 + ((code & 0x3FF) << 10) + (tonumber(low, 16) & 0x3FF)), at + 10
  end
  return utf8.char(code & 0xF800 == 0xD800 and 0xFFFD or code), at + 4
end

local function text(s, at)
  local parts = {}
  while true do
    local plain, mark, next = s:match('^([^"\\]*)(["\\])()', at)
    assert(mark, "a text has no end")
    parts[#parts + 1] = plain
    if mark == '"' then return table.concat(parts), next end
    local kind = s:sub(next, next)
    if kind == "u" then
      parts[#parts + 1], at = character(s, next + 1)
    else
      parts[#parts + 1], at = assert(escapes[kind], "unknown escape"), next + 1
    end
  end
end

-- each reads what stands between brackets, item by item, up to the place behind the closing one.
local function each(s, at, closing, item)
  local mark, next = s:match("^%s*(.)()", at)
  if mark == closing then return next end
  repeat
    at = item(at)
    mark, at = s:match("^%s*(.)()", at)
    assert(mark == "," or mark == closing, "neither a comma nor an end")
  until mark == closing
  return at
end

local function object(s, at)
  local fields = {}
  return fields, each(s, at, "}", function(from)
    local key, behind = text(s, assert(s:match('^%s*"()', from), "a key is missing"))
    fields[key], behind = value(s, assert(s:match("^%s*:()", behind), "a colon is missing"))
    return behind
  end)
end

local function array(s, at)
  local items, n = {}, 0
  return items, each(s, at, "]", function(from)
    n = n + 1
    items[n], from = value(s, from)
    return from
  end)
end

function value(s, at)
  local mark, next = s:match("^%s*(.)()", at)
  if mark == '"' then return text(s, next) end
  if mark == "{" then return object(s, next) end
  if mark == "[" then return array(s, next) end
  local word, behind = s:match("^%s*([%w+.-]+)()", at)
  if word == "null" then return nil, behind end
  if word == "true" or word == "false" then return word == "true", behind end
  return assert(tonumber(word), "not a value"), behind
end

-- decode returns nil and a reason for what is not JSON. null is nil.
function json.decode(s)
  local ok, result, behind = pcall(value, s, 1)
  if not ok then return nil, result end
  if s:find("%S", behind) then return nil, "something follows the value" end
  return result
end

function json.encode(v)
  if type(v) == "string" then
    return '"' .. v:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  end
  if type(v) ~= "table" then return tostring(v) end
  local fields = {}
  for key, field in pairs(v) do fields[#fields + 1] = json.encode(key) .. ":" .. json.encode(field) end
  return "{" .. table.concat(fields, ",") .. "}"
end

return json
