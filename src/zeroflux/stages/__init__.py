"""The stages of a run: parse, run one stage, write its artifact. A thin shell, no physics."""

from zeroflux.stages.machinery import Run as Run
from zeroflux.stages.machinery import Stage as Stage
from zeroflux.stages.machinery import StageState as StageState
from zeroflux.stages.order import STAGES as STAGES
from zeroflux.stages.order import run_stages as run_stages
from zeroflux.stages.order import status as status
