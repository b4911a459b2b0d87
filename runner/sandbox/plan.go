package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// A Step is one thing that is done to make a sandbox. Steps are done in the
// order of the plan and nothing else is done; a plan that is printed is the
// plan that runs.
type Step struct {
	// Where says who does it: the caller outside, our process inside, or that
	// same process when it has been told to become the program.
	Where Where  `json:"where"`
	Kind  string `json:"kind"`
	Text  string `json:"text"`

	outside func(*builder) error
	inside  func(*inside) error
	program func(*inside) ([]call, error)
}

// Where a step is done.
type Where string

// The places.
const (
	Outside Where = "outside"
	Inside  Where = "inside"
	Program Where = "program"
)

func (s Step) String() string { return fmt.Sprintf("%-8s %-12s %s", s.Where, s.Kind, s.Text) }

func outside(kind, text string, do func(*builder) error) Step {
	return Step{Where: Outside, Kind: kind, Text: text, outside: do}
}

func within(kind, text string, do func(*inside) error) Step {
	return Step{Where: Inside, Kind: kind, Text: text, inside: do}
}

func program(kind, text string, do func(*inside) ([]call, error)) Step {
	return Step{Where: Program, Kind: kind, Text: text, program: do}
}

// Plan is how a sandbox comes to be. It asks nothing of the machine.
func Plan(s *Spec) []Step {
	return slices.Concat(
		cgroupSteps(s),
		idMapSteps(s),
		namespaceSteps(s),
		propagationSteps(s),
		rootSteps(s),
		mountSteps(s),
		deviceSteps(s),
		linkSteps(s),
		consoleSteps(&s.Process, false),
		hostnameSteps(s),
		loopbackSteps(s),
		sysctlSteps(s),
		maskSteps(s),
		pivotSteps(s),
		workdirSteps(&s.Process, true),
		programSteps(&s.Process, s.Init),
	)
}

// execPlan is how a further program gets into a sandbox.
func execPlan(pid int, p *Process) []Step {
	return slices.Concat(
		enterSteps(pid, p),
		consoleSteps(p, true),
		workdirSteps(p, false),
		programSteps(p, false),
	)
}

// programSteps end in the program. Their order is the kernel's: limits while
// they may still be set; the bounding set before the ids, since it needs
// CAP_SETPCAP; the filter after the ids, so that it need not allow them.
func programSteps(p *Process, init bool) []Step {
	return slices.Concat(
		keyringSteps(),
		initSteps(init),
		terminalSteps(p),
		stdioSteps(p),
		rlimitSteps(p),
		boundingSteps(p),
		userSteps(p),
		privilegeSteps(p),
		seccompSteps(p),
		descriptorSteps(),
		executeSteps(p),
	)
}

// PlanText is a plan for people to read, a line a step.
func PlanText(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String())
		b.WriteByte('\n')
	}
	return b.String()
}
