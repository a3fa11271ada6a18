"""The stack as an editor: rows of layers, each key one edit."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from tuilab.tui.widgets.line_view import LineView


class StackView(LineView):
    """Shows a stack; its keys ask the screen for edits of the row under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "screen.row_add", "Add", id="row.add", tooltip="Add a layer after this row"),
        Binding("d,delete", "screen.row_delete", "Del", id="row.delete", tooltip="Delete this row, or the marked ones"),
        Binding("J,alt+down", "screen.row_move(1)", "Move down", id="row.down", show=False,
                tooltip="Move the row down"),
        Binding("K,alt+up", "screen.row_move(-1)", "Move up", id="row.up", show=False,
                tooltip="Move the row up"),
        Binding("enter", "screen.row_edit", "Edit", key_display="⏎", id="row.edit", tooltip="Edit this row as text"),
        Binding("c", "screen.row_duplicate", "Copy row", id="row.duplicate", show=False, tooltip="Double the row"),
        Binding("y", "screen.row_copy", "Copy", id="row.copy", show=False, tooltip="Remember the row for p"),
        Binding("p", "screen.row_paste", "Paste", id="row.paste", show=False,
                tooltip="Put what y remembered after this row, here or in another candidate"),
        Binding("v", "screen.row_mark", "Mark", id="row.mark", show=False,
                tooltip="Begin to mark rows; the next edit is of all from here to the cursor"),
        Binding("plus,equals_sign", "screen.row_bump(1)", "One more", id="row.more", show=False,
                tooltip="One more: width, copies or window"),
        Binding("minus", "screen.row_bump(-1)", "One less", id="row.less", show=False, tooltip="One less"),
        Binding("asterisk", "screen.row_wrap('repeat')", "Repeat", id="row.repeat", show=False,
                tooltip="Wrap the rows in a repeat"),
        Binding("left_parenthesis", "screen.row_wrap('residual')", "Residual", id="row.residual", show=False,
                tooltip="Wrap the rows in a residual: input plus branch"),
        Binding("vertical_line", "screen.row_wrap('sum')", "Sum", id="row.sum", show=False,
                tooltip="Make the rows the branches of a sum"),
        Binding("right_parenthesis", "screen.row_unwrap", "Unwrap", id="row.unwrap", show=False,
                tooltip="Take the repeat, residual or sum away and keep what is inside"),
        Binding("t", "screen.row_activation", "Activation", id="row.activation", show=False,
                tooltip="Take the activation after this row away, or put a ReLU there"),
        Binding("A", "screen.row_cycle", "Next kind", id="row.cycle", show=False,
                tooltip="Go on to the next activation: relu, leaky_relu, tanh ..."),
        Binding("exclamation_mark", "screen.row_lock", "Lock", id="row.lock", show=False,
                tooltip="Keep this width when matching, or let it go"),
        Binding("b", "screen.row_bias", "Bias", id="row.bias", show=False, tooltip="With or without bias"),
        Binding("slash", "screen.row_find", "Find", id="row.find", show=False,
                tooltip="Go to the next row that says something; once more with / and enter"),
        *(
            Binding(digit, f"screen.row_number('{digit}')", "Number", id=f"row.number-{digit}", show=False,
                    tooltip="Type the row's number: width, copies or window" if digit == "1" else "")
            for digit in "0123456789"
        ),
    ]  # fmt: skip
