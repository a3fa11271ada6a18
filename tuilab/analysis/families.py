"""Which functions a stack can express, counted: the dimension of the family of maps that its weights reach.

An affine piece from m to n features without a non-linearity reaches the maps ``x -> (k I + A) x + b`` where A is any
matrix of rank at most r, k I is there only on residual paths, and b is zero, in the column space of A, or any vector.
Such families are closed under composition and sum, so a stack is folded from left to right and a repeat is a power.
"""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple, TypeAlias


class Bias(IntEnum):
    """Which shifts b a family of affine maps reaches."""

    NONE = 0
    COLUMN_SPACE = 1
    """Any vector in the column space of A: a bias somewhere before a bottleneck, none after it."""
    FREE = 2


class Affine(NamedTuple):
    """The maps x -> ([identity] + A) x + b with A any n x m matrix of rank at most ``rank``."""

    in_features: int
    out_features: int
    identity: bool
    rank: int
    bias: Bias

    @property
    def dimension(self) -> int:
        """Parameters that tell these maps apart: r (m + n - r), plus those of b."""
        m, n, _, rank, bias = self
        return rank * (m + n - rank) + (n if bias is Bias.FREE else rank if bias is Bias.COLUMN_SPACE else 0)


@lru_cache(maxsize=1024)
def passing(features: int) -> Affine:
    """The identity on ``features`` features: a family of one map."""
    return Affine(features, features, True, 0, Bias.NONE)


@lru_cache(maxsize=1024)
def dense(in_features: int, out_features: int, bias: bool) -> Affine:
    """All affine maps from m to n features."""
    return _normal(in_features, out_features, False, min(in_features, out_features), Bias.FREE if bias else Bias.NONE)


def _normal(in_features: int, out_features: int, identity: bool, rank: int, bias: Bias) -> Affine:
    """With rank n every matrix is reached, so the identity no longer matters and the column space is everything."""
    rank = min(rank, in_features, out_features)
    full = rank == out_features
    if full and bias is Bias.COLUMN_SPACE:
        bias = Bias.FREE
    return Affine(in_features, out_features, identity and not full, rank, bias)


def then(first: Affine, second: Affine) -> Affine:
    """The family of second(first(x))."""
    if not first.rank:
        return second
    if not second.rank:
        return first
    m, n = first.in_features, second.out_features
    if first.identity and second.identity:
        rank = first.rank + second.rank
        return _normal(m, n, True, rank, _sum_bias(rank, m, n, first.bias, second.bias))
    if second.identity:
        bias = first.bias if second.bias is Bias.NONE else Bias.FREE
        return _normal(m, n, False, first.rank, bias)
    first_rank = first.in_features if first.identity else first.rank
    rank = min(first_rank, second.rank)
    if second.bias is Bias.FREE or first.bias is second.bias is Bias.NONE:
        return _normal(m, n, False, rank, second.bias)
    if second.bias is Bias.NONE and first.bias is Bias.COLUMN_SPACE:
        return _normal(m, n, False, rank, Bias.COLUMN_SPACE)
    return _normal(m, n, False, rank, Bias.FREE if second.rank > first_rank else Bias.COLUMN_SPACE)


def plus(one: Affine, other: Affine) -> Affine:
    """The family of one(x) + other(x)."""
    m, n = one.in_features, one.out_features
    rank = one.rank + other.rank
    return _normal(m, n, one.identity or other.identity, rank, _sum_bias(rank, m, n, one.bias, other.bias))


def _sum_bias(rank: int, m: int, n: int, one: Bias, other: Bias) -> Bias:
    """The shifts of A + C where A and C have ``rank`` together and n x m entries each."""
    strongest = max(one, other)
    return Bias.FREE if strongest is Bias.COLUMN_SPACE and rank > min(m, n) else strongest


class Scaling(NamedTuple):
    """Positive factors, one a unit, that could move through a non-linearity from one affine piece to the next.

    Attributes:
        size: units that can be scaled independently.
        fixed: whether something (tanh, a norm, the network's input or output) forbids it.

    """

    size: int
    fixed: bool


class Curved(NamedTuple):
    """A piece with non-linearities: an affine head, whatever lies between, an affine tail.

    Attributes:
        head, tail: the open affine pieces before the first and after the last non-linearity.
        head_scaling, tail_scaling: of the units where the head ends and the tail starts.
        same: whether these are the same units, as around a single activation.
        dimension: degrees of freedom of what lies between, scalings already taken off.

    """

    head: Affine
    head_scaling: Scaling
    same: bool
    tail: Affine
    tail_scaling: Scaling
    dimension: int


Piece: TypeAlias = Affine | Curved


@lru_cache(maxsize=1024)
def around(features_in: int, features_out: int, scaling: Scaling) -> Curved:
    """A layer without parameters that is not affine (an activation, pooling), scaled as ``scaling`` says."""
    return Curved(passing(features_in), scaling, True, passing(features_out), scaling, 0)


def opaque(features_in: int, features_out: int, before: Scaling, after: Scaling, dimension: int) -> Curved:
    """A layer with ``dimension`` parameters about which nothing else is known."""
    return Curved(passing(features_in), before, False, passing(features_out), after, dimension)


def compose(first: Piece, second: Piece) -> Piece:
    """``first`` and then ``second``; associative."""
    if isinstance(first, Affine):
        if isinstance(second, Affine):
            return then(first, second)
        return second._replace(head=then(first, second.head))
    if isinstance(second, Affine):
        return first._replace(tail=then(first.tail, second))
    middle = then(first.tail, second.head)
    dimension = first.dimension + second.dimension + middle.dimension
    head, tail = first.head_scaling, second.tail_scaling
    if middle.identity:
        merged = _merge(first.tail_scaling, second.head_scaling)
        head = merged if first.same else head
        tail = merged if second.same else tail
        if not first.same and not second.same:
            dimension -= _free(merged)
    else:
        dimension -= 0 if first.same else _free(first.tail_scaling)
        dimension -= 0 if second.same else _free(second.head_scaling)
    same = middle.identity and first.same and second.same
    return Curved(first.head, head, same, second.tail, tail, dimension)


def power(piece: Piece, times: int) -> Piece:
    """``piece`` composed with itself, by squaring; ``times`` is at least 1."""
    result: Piece | None = None
    while times:
        if times & 1:
            result = piece if result is None else compose(piece, result)
        times >>= 1
        if times:
            piece = compose(piece, piece)
    assert result is not None
    return result


def parallel(branches: list[Piece], scaling_in: Scaling, scaling_out: Scaling) -> Piece:
    """The sum of ``branches``, which all go from the same input to the same shape of output.

    Args:
        branches: at least one; a residual has the identity as one of them.
        scaling_in: of the units where the branches part.
        scaling_out: of the units where they meet.

    """
    flat = [piece for piece in branches if isinstance(piece, Affine)]
    curved = [piece for piece in branches if isinstance(piece, Curved)]
    affine: Affine | None = None
    for straight in flat:
        affine = straight if affine is None else plus(affine, straight)
    if not curved:
        assert affine is not None
        return affine
    features_in, features_out = curved[0].head.in_features, curved[0].tail.out_features
    dimension, biases = 0, 0
    joints = _Joints(scaling_in, scaling_out)
    if affine is not None:
        dimension += affine.dimension
        biases += affine.bias is Bias.FREE
        if affine.identity:
            joints.tie()
    for piece in curved:
        dimension += piece.head.dimension + piece.dimension + piece.tail.dimension
        biases += piece.tail.bias is Bias.FREE
        dimension -= joints.attach(piece)
    dimension -= max(biases - 1, 0) * features_out
    left, right, same = joints.left, joints.right, joints.same
    return Curved(passing(features_in), left, same, passing(features_out), right, dimension)


class _Joints:
    """The scalings where branches part (left) and meet (right), while branches are attached between them."""

    def __init__(self, left: Scaling, right: Scaling) -> None:
        self.left = left
        self.right = right
        self.same = False

    def tie(self) -> None:
        self.left = self.right = _merge(self.left, self.right)
        self.same = True

    def attach(self, piece: Curved) -> int:
        """Tie what the piece ties; returns the scalings inside it that stay free of both ends."""
        at_left, at_right = piece.head.identity, piece.tail.identity
        free = 0
        if not at_left and not (piece.same and at_right):
            free += _free(piece.head_scaling)
        if not at_right and not piece.same:
            free += _free(piece.tail_scaling)
        if at_left:
            self._left(piece.head_scaling)
        if at_right:
            self._right(piece.tail_scaling)
        if piece.same and at_left and at_right and not self.same:
            self.tie()
        return free

    def _left(self, scaling: Scaling) -> None:
        self.left = _merge(self.left, scaling)
        self.right = self.left if self.same else self.right

    def _right(self, scaling: Scaling) -> None:
        self.right = _merge(self.right, scaling)
        self.left = self.right if self.same else self.left


def close(piece: Piece) -> int:
    """Degrees of freedom of a whole network: its input and output cannot be scaled."""
    if isinstance(piece, Affine):
        return piece.dimension
    dimension = piece.head.dimension + piece.dimension + piece.tail.dimension
    if piece.same:
        return dimension - (0 if piece.head.identity or piece.tail.identity else _free(piece.head_scaling))
    dimension -= 0 if piece.head.identity else _free(piece.head_scaling)
    return dimension - (0 if piece.tail.identity else _free(piece.tail_scaling))


def _merge(one: Scaling, other: Scaling) -> Scaling:
    return Scaling(one.size, one.fixed or other.fixed or one.size != other.size)


def _free(scaling: Scaling) -> int:
    return 0 if scaling.fixed else scaling.size
