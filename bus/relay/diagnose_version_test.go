package relay

import (
	"strings"
	"testing"
)

func TestDiagnoseVersions(t *testing.T) {
	for version, c := range map[string]struct {
		grade Grade
		word  string
	}{
		"7.0.15": {GradeGood, "7.0.15"}, "7.2.14": {GradeGood, ""}, "8.2.6": {GradeGood, ""}, "8.9.0": {GradeGood, ""},
		"9.0.0":  {GradeGood, ""},
		"2.8.24": {GradeFault, "older"}, "6.2.22": {GradeFault, "install 7.0.15"}, "7.0.14": {GradeFault, "install 7.0.15"},
		"7.2.3": {GradeFault, "install 7.2.14"}, "7.2.13": {GradeFault, "SUBSCRIBE"}, "7.4.0": {GradeFault, "install 7.4.9"},
		"8.6.2": {GradeFault, "install 8.6.3"}, "255.255": {GradeNote, `"255.255"`}, "": {GradeNote, "no version"},
	} {
		d := &diagnosis{}
		d.version(version)
		if f := d.findings[0]; len(d.findings) != 1 || f.Grade != c.grade || !strings.Contains(f.Text+f.Fix, c.word) {
			t.Errorf("%q: %+v, want %s with %q", version, d.findings, c.grade, c.word)
		}
	}
}
