package plan

// stage is one row of the tables in docs/waypoints.md, or the wait after it. The stages of a table are worked off from the
// top each time: the first that is not settled says what to do, and the rest must wait for it.
type stage struct {
	name string
	do   func(*course) outcome
}

// tables are the orders in which waypoints are made and removed. They are values so that a test can permute them, and show
// that each order but this one lets somebody in, or shuts somebody out.
type tables struct{ making, removing []stage }

func standard() tables {
	return tables{
		making: []stage{
			{"say last", (*course).sayLast},
			{"roll back", (*course).rollBack},
			{"remove stale guards", (*course).removeStaleGuards},
			{"hold", (*course).hold},
			{"repeat for what is bound", (*course).makeTwinsOfBound},
			{"await repeated for what is bound", (*course).awaitTwinsOfBound},
			{"admit for what is bound", (*course).makeAdmissionsOfBound},
			{"await admitted for what is bound", (*course).awaitAdmissionsOfBound},
			{"refuse steps", (*course).refuseSteps},
			{"make parameters", (*course).makeParameters},
			{"make gateway", (*course).makeGateway},
			{"await ready", (*course).awaitReady},
			{"await known", (*course).awaitKnown},
			{"make twins", (*course).makeTwins},
			{"await twins", (*course).awaitTwins},
			{"clear twins", (*course).clearTwins},
			{"make admissions", (*course).makeAdmissions},
			{"await admissions", (*course).awaitAdmissions},
			{"widen guards", (*course).widenGuards},
			{"bind", (*course).bind},
			{"ingress", (*course).ingress},
			{"remove orphans", (*course).removeOrphans},
			{"make guards", (*course).makeGuards},
			{"await guards", (*course).awaitGuards},
			{"remove left behind", (*course).removeLeftBehind},
			{"say what stays", (*course).sayStays},
		},
		removing: []stage{
			{"say last", (*course).sayLast},
			{"remove stale guards", (*course).removeStaleGuards},
			{"repeat for what is bound", (*course).makeTwinsOfBound},
			{"await repeated for what is bound", (*course).awaitTwinsOfBound},
			{"admit for what is bound", (*course).makeAdmissionsOfBound},
			{"await admitted for what is bound", (*course).awaitAdmissionsOfBound},
			{"see", (*course).see},
			{"remove orphans", (*course).removeOrphans},
			{"foreign", (*course).awaitForeign},
			{"await moves", (*course).awaitMoves},
			{"retain", (*course).retain},
			{"may go", (*course).mayGo},
			{"remove guards", (*course).removeGuards},
			{"await guards removed", (*course).awaitGuardsRemoved},
			{"release", (*course).release},
			{"await released", (*course).awaitReleased},
			{"drain", (*course).drain},
			{"remove admissions", (*course).removeAdmissions},
			{"remove uncounted", (*course).removeUncounted},
			{"remove twins", (*course).removeTwins},
			{"remove copies", (*course).removeCopies},
			{"remove gateway", (*course).removeGateway},
			{"remove parameters", (*course).removeParameters},
			{"remove left behind", (*course).removeLeftBehind},
		},
	}
}

// follow works off a table.
func (c *course) follow(stages []stage) {
	for _, s := range stages {
		if s.do(c) != settled {
			return
		}
	}
}
