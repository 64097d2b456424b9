"""SchNet: convolutions over the neighbours with filters of the distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Array, Float

from zeroflux.potentials.layers import (
    DEEP,
    Params,
    ShapesOnly,
    apply_dense,
    dense,
    normal,
    random_numbers,
    swish,
    width_for,
)
from zeroflux.potentials.messages import MessageInputs, MessagePassing, Passing


@dataclass(frozen=True)
class SchNet(MessagePassing):
    r"""Message passing with filters of the distance.

    .. math::
        x_i^0 = a_{s_i}, \qquad
        m_i = \sum_j (W x_j) \circ F(r_{ij}), \qquad
        x_i \leftarrow x_i + \alpha\,U_2\,\phi(U_1 m_i), \qquad
        \varepsilon_i = V_2\,\phi(V_1 x_i)

    We differ from the paper in what costs time or hinders training: F is linear in the Gaussians
    of `gaussian_basis`, where the paper puts a perceptron on more of them, so that sums over
    neighbours come before the filter; messages are centred and scaled (`Passing`); φ is the
    `swish` and not a shifted softplus; and α is 1 for the first interaction and `DEEP` for
    further ones, so that training starts close to a model of one interaction.

    References
    ----------
    Schütt et al. (2017), arXiv 1706.08566; (2018), 10.1063/1.5019779.
    """

    cutoff: float
    n_species: int
    width: int = 16
    n_interactions: int = 2
    n_radial: int = 16
    inner: float = 4.5

    name = "schnet"
    is_linear = False
    size_field = "width"
    learning_rate_factor = 1.0

    @property
    def is_local(self) -> bool:
        """Whether an atom's energy depends on its own neighbours alone."""
        return self.n_interactions == 1

    @property
    def passing(self) -> Passing:
        """How atoms see their neighbours."""
        return Passing(
            self.cutoff, self.n_species, self.n_radial, self.inner, False, self.n_interactions > 1
        )

    @classmethod
    def sized(cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any) -> SchNet:
        """Model whose number of parameters is closest to the one wanted, by width alone."""
        one = cls(cutoff, n_species, width=1, **fixed)
        n = one.n_interactions
        # the first interaction has a table by element where the others have a matrix
        count = (1, 2 * n_species + 2 + n * (one.n_radial + 1), 3 * n)
        return replace(one, width=width_for(n_parameters, count))

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Random parameters."""
        w = self.width
        rng = random_numbers(key)
        params: dict[str, Any] = {
            "embedding": normal(rng, (self.n_species, w)),
            "readout0": dense(rng, w, w),
            "readout1": dense(rng, w, 1, is_output=True),
        }
        for k in range(self.n_interactions):
            source = dense(rng, w, w)["weight"]
            table = normal(rng, (self.n_species, w))
            params[f"interaction{k}"] = {
                "source": {"weight": source} if k else table,
                "filter": {"weight": dense(rng, self.n_radial, w)["weight"]},
                "update0": dense(rng, w, w),
                "update1": {"weight": dense(rng, w, w)["weight"]},
            }
        return params

    def features(self, params: Params, inputs: MessageInputs) -> Float[Array, "n_atoms width"]:
        """What the readout sees of each atom after the last interaction."""
        x = params["embedding"][inputs.species]
        for k in range(self.n_interactions):
            layer = params[f"interaction{k}"]
            filters = layer["filter"]["weight"]
            if k:
                message = self.passing.passed(inputs, x @ layer["source"]["weight"], filters)
            else:
                message = self.passing.first(inputs, layer["source"], filters)
            update = swish(apply_dense(layer["update0"], message)) @ layer["update1"]["weight"]
            x = x + (DEEP if k else 1.0) * update
        return x
