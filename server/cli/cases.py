"""The commands `picshare moderation …` about cases and appeals."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.ids import encode
from storage.reports import CaseAction, CaseState, Category, SubjectKind

CaseArgument = Annotated[str, typer.Argument(help="The id of a case, as `picshare moderation cases` shows it.")]
DecisionArgument = Annotated[str, typer.Argument(help="The id of a decision, as `picshare moderation case` shows it.")]
ByOption = Annotated[str, typer.Option("--by", help="The username of the moderator in whose name this is done.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number.")]
_TIME = "%Y-%m-%d %H:%M"


class Answer(StrEnum):
    """The answer to an appeal."""

    UPHELD = "upheld"
    REVERTED = "reverted"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command(name="cases")(list_)
    app.command(name="case")(show)
    for command in (decide, revert, assign, escalate, appeals, answer):
        app.command()(command)


def list_(
    kind: Annotated[SubjectKind | None, typer.Option("--kind", help="What the cases are about.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed cases instead, the newest first.")] = False,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List the cases that reports have opened, the one with the highest priority first.

    Example: [bold]picshare moderation cases --kind photo[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("id", "about", "account", "category", "reports", "priority", "state", "assigned to", "opened")
    for row in run_async(cases.queue(settings, closed=closed, kind=kind, limit=limit)):
        case = row.case
        table.add_row(
            encode(case.id),
            f"{case.subject_kind.value} {encode(case.subject_id)}",
            row.account,
            case.category.value,
            str(case.reports),
            f"{case.priority:.1f}",
            case.state.value,
            row.assigned_to,
            f"{case.opened_at:{_TIME}}",
        )
    tables.console().print(table)


def show(case: CaseArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Show a case with its reports, decisions, appeals and audit log.

    Example: [bold]picshare moderation case 01K3S9C0XG4Q7[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    shown = run_async(cases.show(settings, case))
    file, names, console = shown.file, shown.names, tables.console()
    one = file.case
    console.print(
        f"Case {encode(one.id)}: {one.state.value}, {one.category.value}, priority {one.priority:.1f}\n"
        f"About {one.subject_kind.value} {encode(one.subject_id)} of {names.get(one.owner_id, 'a deleted account')}"
    )
    reports = tables.table("reported", "by", "category", "text", title="Reports")
    for report in file.reports:
        reporter = names.get(report.reporter_id or 0, "")
        reports.add_row(f"{report.created_at:{_TIME}}", reporter, report.category.value, report.text)
    decisions = tables.table("id", "decided", "by", "action", "rule", "reason", "appeal", title="Decisions")
    for decision in file.decisions:
        decisions.add_row(
            encode(decision.id),
            f"{decision.created_at:{_TIME}}",
            names.get(decision.decided_by or 0, decision.source.value),
            "revert" if decision.reverts else f"{decision.action.value}{' (reverted)' if decision.reverted else ''}",
            decision.rule.value,
            decision.reason,
            "" if decision.appeal is None else decision.appeal.value,
        )
    audit = tables.table("at", "by", "action", "details", title="Audit log")
    for entry in file.audit:
        details = ", ".join(f"{name}: {value}" for name, value in entry.details.items() if value)
        audit.add_row(f"{entry.created_at:{_TIME}}", names.get(entry.actor_id or 0, ""), entry.action, details)
    for table in (reports, decisions, audit):
        if table.row_count:
            console.print(table)


def decide(  # noqa: PLR0917 - a command's parameters are its options
    case: CaseArgument,
    action: Annotated[CaseAction, typer.Argument(help="What is done.")],
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the account concerned.")] = "",
    rule: Annotated[
        Category | None, typer.Option("--rule", help="The ground; by default the category of the case.")
    ] = None,
    facts: Annotated[str, typer.Option("--facts", help="What the decision relies on, for the account concerned.")] = "",
    note: Annotated[str, typer.Option("--note", help="A note for moderators.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Decide a case, which closes it: carry out the action, and notify the account concerned and the reporters.

    Example: [bold]picshare moderation decide 01K3S9C0XG4Q7 hide --by ada --reason "It shows an address."[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    decision = run_async(
        cases.decide(settings, case, by=by, action=action, rule=rule, reason=reason, facts=facts, note=note)
    )
    typer.echo(f"Decided: {decision.action.value}. The decision is {encode(decision.id)}.")


def revert(
    decision: DecisionArgument,
    by: ByOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the account concerned.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Undo a decision and what it did; the account concerned is notified.

    Example: [bold]picshare moderation revert 01K3S9C0XG4Q7 --by ada --reason "A mistake."[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    run_async(cases.revert(settings, decision, by=by, reason=reason))
    typer.echo("The decision is reverted.")


def assign(
    case: CaseArgument,
    by: ByOption,
    to: Annotated[str, typer.Option("--to", help="The username of a moderator; without one, nobody.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Assign a case to a moderator.

    Example: [bold]picshare moderation assign 01K3S9C0XG4Q7 --by ada --to bob[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    run_async(cases.assign(settings, case, by=by, to=to or None))
    typer.echo(f"The case is assigned to {to}." if to else "The case is assigned to nobody.")


def escalate(  # noqa: PLR0917 - a command's parameters are its options
    case: CaseArgument,
    by: ByOption,
    note: Annotated[str, typer.Option("--note", help="Why, for the administrators.")] = "",
    back: Annotated[bool, typer.Option("--return", help="Return the case to the moderators instead.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Leave a case to the administrators.

    Example: [bold]picshare moderation escalate 01K3S9C0XG4Q7 --by ada --note "Is this legal?"[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    state = run_async(cases.escalate(settings, case, by=by, escalated=not back, note=note))
    typer.echo(f"The case is {CaseState(state).value}.")


def appeals(limit: LimitOption = 50, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the appeals that wait for an answer, the oldest first.

    Example: [bold]picshare moderation appeals[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table(
        "decision", "case", "account", "action", "reason", "decided by", "appeal", "since", ids=("decision", "case")
    )
    for row in run_async(cases.pending(settings, limit)):
        table.add_row(
            encode(row.appeal.decision_id),
            encode(row.appeal.case_id),
            row.account,
            row.decision.action.value,
            row.decision.reason,
            row.decided_by,
            row.appeal.text,
            f"{row.appeal.created_at:{_TIME}}",
        )
    tables.console().print(table)


def answer(  # noqa: PLR0917 - a command's parameters are its options
    decision: DecisionArgument,
    outcome: Annotated[Answer, typer.Argument(help="`reverted` undoes the decision.")],
    by: ByOption,
    text: Annotated[str, typer.Option("--answer", help="The answer, for the account concerned.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Answer the appeal against a decision of another moderator.

    Example: [bold]picshare moderation answer 01K3S9C0XG4Q7 upheld --by bob --answer "It stays hidden."[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import cases  # noqa: PLC0415 - heavy, and only needed here

    run_async(cases.answer(settings, decision, by=by, reverted=outcome is Answer.REVERTED, text=text))
    typer.echo(f"The appeal is answered: the decision is {outcome.value}.")
