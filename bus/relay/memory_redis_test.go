package relay

import "testing"

func TestHubMatch(t *testing.T) {
	cases := []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"a*c", "abbc", true},
		{"a*c", "abbd", false},
		{"a**c", "ac", true},
		{"?", "", false},
		{"a?c", "abc", true},
		{"[abc]", "b", true},
		{"[abc]", "d", false},
		{"[^abc]", "d", true},
		{"[^abc]", "b", false},
		{"[a-c]d", "bd", true},
		{"[c-a]d", "bd", true}, // Redis swaps the ends
		{"[a-c]d", "dd", false},
		{`[\]]`, "]", true},
		{`[\-]`, "-", true},
		{"[ab", "a", true}, // Redis closes a class at the end
		{"[", "a", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, `a\`, true},
		{"user:*", "user:42", true},
		{"user:*", "group:42", false},
	}
	for _, c := range cases {
		if got := hubMatch(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %t", c.pattern, c.name, got)
		}
	}
}
