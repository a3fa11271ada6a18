"""Plain facts about one network, for the pane that explains."""

from tuilab.analysis.counting import NetworkCount
from tuilab.spec.errors import LabError
from tuilab.tui.lines import Line, Span, hue, letter, wrap
from tuilab.tui.numbers import count_of, exact, short


def fact_lines(index: int, count: NetworkCount | LabError, width: int) -> tuple[Line, ...]:
    """What the network at ``index`` is, in a few lines; why it cannot be built where it cannot."""
    if isinstance(count, LabError):
        return tuple(wrap(str(count), width, "error"))
    depth = sum(row.times for row in count.layers if row.num_params and row.macs)
    loose = count.num_params - count.degrees_of_freedom
    text = (
        f"{count_of(depth, 'layer')} with weights, {exact(count.num_params)} parameters, of which at most "
        f"{exact(count.degrees_of_freedom)} are free"
    )
    text += f" ({exact(loose)} only rescale or repeat others)." if loose else "."
    text += f" One sample costs {exact(count.macs)} multiplies; training it about {short(6 * count.macs)} FLOPs a step."
    first, *rest = wrap(f"{letter(index)} has {text}", width)
    head = first[0].text
    return ((Span(head[:1], f"{hue(index)} strong"), Span(head[1:])), *rest)
