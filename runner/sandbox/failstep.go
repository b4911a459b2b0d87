package sandbox

// FailStep makes the step of a plan with that number fail, for tests of what is
// left then. What it answers ends that.
func FailStep(number int) (undo func()) {
	failStep = number
	return func() { failStep = -1 }
}
