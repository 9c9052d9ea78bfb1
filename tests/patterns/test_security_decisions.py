"""What patterns of security decide, on schemas written by hand: no server is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.patterns.security._comparisons import Compared, compared, missing
from alembic_pgpatterns.patterns.security._functions import Functions
from alembic_pgpatterns.patterns.security._statements import alter_policy, revoke, revoke_default, set_search_path
from alembic_pgpatterns.patterns.security._tree import always_true
from alembic_pgpatterns.patterns.security.policy_open_to_setting import ways_out
from alembic_pgpatterns.remedies.model import Advice, Statements
from alembic_pgpatterns.schema.model import (
    DefaultPrivilege,
    Extension,
    Function,
    Grant,
    Key,
    Name,
    Policy,
    Schema,
    Table,
    View,
)
from tests.patterns.handmade import ITEM, column, index, table

pytestmark = pytest.mark.usefixtures("held_messages")

TENANT = "(tenant_id = (current_setting('app.tenant'::text))::bigint)"
OTHER, THIRD = Name("public", "other"), Name("Sales", "Order")


def policy(using: str | None = None, check: str | None = None, **facts: Any) -> Policy:
    given = {"table": ITEM, "name": "p", "command": "ALL", "permissive": True, "roles": ("PUBLIC",), **facts}
    return Policy(**given, using=using, check=check)


def found(name: str, *tables: Table, **facts: Any) -> list[Finding]:
    pattern: Any = registry()[name](target_version=18)
    return list(pattern.detect(Schema("database", tables, server_version=18, **facts)))


def protected(*policies: Policy, **facts: Any) -> Table:
    parts = [column("id"), column("tenant_id", nullable=False), *facts.pop("parts", ())]
    return table(*parts, policies=policies, **{"row_security": True, "owner": "app", **facts})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true", True),
        ("false", False),
        ("true::boolean", True),
        ("(true AND true)", True),
        ("(true AND (id = 1))", False),
        ("((id = 1) OR true)", True),
        ("((id = 1) OR (id = 2))", False),
        ("(NOT true)", False),
        ("(NOT false)", False),
        ("(1 = 1)", True),
        ("('a'::text = 'a'::text)", False),
        ("(1 = 2)", False),
        ("(1 <> 1)", False),
        ("(NULL = NULL)", False),
        ("(id = id)", False),
        ("(1 = ANY (ARRAY[1]))", False),
        ("(SELECT true)", True),
        ("(SELECT true, true)", False),
        ("(SELECT true FROM other)", False),
        ("(SELECT true WHERE false)", False),
        ("(EXISTS (SELECT true))", False),
        ("(true IN (SELECT true))", False),
        ("lower('a') = 'a'", False),
    ],
)
def test_conditions_that_are_always_true(expression: str, expected: bool) -> None:
    assert always_true(expression) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (TENANT, [Compared("tenant_id")]),
        ("((current_setting('a.b'::text))::bigint = tenant_id)", [Compared("tenant_id")]),
        ("(tenant_id = ANY (tenants()))", [Compared("tenant_id")]),
        ("(tenants() = ANY (tenant_ids))", []),
        ("((tenant_id)::text = current_setting('a.b'::text))", [Compared("tenant_id", "text")]),
        ("(owner = CURRENT_USER)", [Compared("owner", role=True)]),
        ("(owner = (CURRENT_USER)::text)", [Compared("owner", role=True)]),
        ('(owner = (CURRENT_USER COLLATE "C"))', [Compared("owner")]),
        ("(day = CURRENT_DATE)", [Compared("day")]),
        ("(tenant_id IN (SELECT member.tenant_id FROM member))", [Compared("tenant_id")]),
        ("(tenant_id > ANY (SELECT member.tenant_id FROM member))", []),
        ("(EXISTS (SELECT 1 FROM member))", []),
        ("(tenant_id = 7)", []),
        ("(tenant_id > tenant())", []),
        ("(tenant_id = other_id)", []),
        ("(tenant_id = f(other_id))", []),
        ("(tenant_id IS NULL)", []),
        ("(tenant() = tenants())", []),
        (f"({TENANT} AND (owner = CURRENT_USER))", [Compared("tenant_id"), Compared("owner", role=True)]),
        (f"(NOT ({TENANT} OR (id = 1)))", [Compared("tenant_id")]),
        ("true", []),
        ("not an expression (", []),
    ],
)
def test_what_is_compared_with_the_session(expression: str, expected: list[Compared]) -> None:
    assert compared(expression) == frozenset(expected)


A, B, C = (f"({name} = tenant())" for name in "abc")


@pytest.mark.parametrize(
    ("expression", "served", "expected"),
    [
        (A, "", "a"),
        (A, "a", ""),
        (f"({A} AND {B})", "", "a"),
        (f"({A} AND {B})", "b", ""),
        (f"({A} AND ({B} OR {C}))", "", "a"),
        (f"(({B} OR {C}) AND {A})", "", "a"),
        (f"(({B} OR {C}) AND {A})", "b", "c"),
        (f"({A} OR {B})", "", "ab"),
        (f"({A} OR {B})", "a", "b"),
        (f"({A} OR {B})", "ab", ""),
        (f"({A} OR {A})", "", "a"),
        (f"({A} OR (x > 1))", "", ""),
        (f"({A} AND (x > 1))", "", "a"),
        (f"(NOT {A})", "", ""),
        ("((x > 1) AND (y > 1))", "", ""),
        ("x > 1", "", ""),
        ("NULL", "", ""),
        ("broken (", "", ""),
    ],
)
def test_which_comparisons_lack_an_index(expression: str, served: str, expected: str) -> None:
    lacking = missing(expression, lambda comparison: comparison.column in served)
    assert "".join(item.column for item in lacking) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(current_setting('app.job'::text) = 'on'::text)", ("app.job",)),
        (f"({TENANT} OR (current_setting('app.job'::text, true) = 'on'::text))", ("app.job",)),
        ("((current_setting('a.b'::text) = '1') OR ((id = 1) OR (current_setting('c.d') = '1')))", ("a.b", "c.d")),
        ("(lower(current_setting('app.job')) = COALESCE(NULLIF(current_setting('app.mode'), ''), 'x'))", None),
        (TENANT, ()),
        ("(current_setting('role') = 'x')", ()),
        ("(current_setting('request.jwt') = 'x')", ()),
        ("(current_setting(lower('app.job')) = 'x')", ()),
        ("(current_setting() = 'x')", ()),
        ("(f('app.job') = 'x')", ()),
        ("(f(current_setting('app.job')) = 'x')", ()),
        ("((current_setting('app.job') = 'x') AND (CURRENT_USER = 'y'))", ()),
        ("(current_setting('app.job') IN (SELECT job.name FROM job))", ()),
        ("((SELECT current_setting('app.job')) = 'on')", ("app.job",)),
        ("true", ()),
        ("broken (", ()),
    ],
)
def test_settings_that_open_a_policy(expression: str, expected: tuple[str, ...] | None) -> None:
    names = ways_out(expression)
    assert names == (("app.job", "app.mode") if expected is None else expected)
    findings = found("policy-open-to-setting", protected(policy(expression), policy(None, expression, name="q")))
    assert len(findings) == (2 if names else 0)
    assert found("policy-open-to-setting", protected(policy(expression, permissive=False))) == []


TRUE = policy("true")
STRICT = policy(TENANT, name="strict", permissive=False)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([TRUE], ["warning"]),
        ([replace(TRUE, check="true")], ["warning"]),
        ([policy(TENANT, "true")], ["warning"]),
        ([policy(TENANT, TENANT)], []),
        ([replace(TRUE, command="SELECT")], []),
        ([policy(None, "true", command="INSERT")], ["warning"]),
        ([replace(TRUE, command="UPDATE")], ["warning"]),
        ([replace(TRUE, command="DELETE")], ["warning"]),
        ([replace(TRUE, permissive=False)], []),
        ([TRUE, STRICT], []),
        ([TRUE, replace(STRICT, using="true")], ["warning"]),
        ([TRUE, replace(STRICT, command="INSERT")], ["warning"]),
        ([TRUE, *(replace(STRICT, command=command) for command in ("INSERT", "UPDATE", "DELETE"))], []),
        ([replace(TRUE, command="UPDATE"), replace(STRICT, command="UPDATE")], []),
        ([replace(TRUE, command="UPDATE"), replace(STRICT, command="DELETE")], ["warning"]),
        ([TRUE, replace(STRICT, roles=("job",))], ["warning"]),
        ([replace(TRUE, roles=("job",)), replace(STRICT, roles=("job",))], []),
        ([replace(TRUE, roles=("job",)), replace(STRICT, roles=("job", "app"))], []),
        ([replace(TRUE, roles=("job", "app")), replace(STRICT, roles=("job",))], ["warning"]),
        ([replace(TRUE, roles=("job",)), STRICT], []),
        ([replace(TRUE, roles=("job", "cron"))], ["warning"]),
        ([replace(TRUE, roles=("job",)), policy(TENANT, name="q")], ["info"]),
        ([replace(TRUE, roles=("job",)), policy(TENANT, name="q", roles=("job",))], ["warning"]),
        ([replace(TRUE, roles=("job", "app")), policy(TENANT, name="q", roles=("job",))], ["warning"]),
        ([replace(TRUE, roles=("job",)), policy("true", name="q", roles=("app",))], ["warning", "warning"]),
        ([replace(TRUE, roles=("job",)), replace(STRICT, roles=("app",))], ["warning"]),
    ],
)
def test_policies_that_let_everybody_write(policies: list[Policy], expected: list[str]) -> None:
    assert [str(finding.severity) for finding in found("policy-always-true", protected(*policies))] == expected


def function(name: str = "f", **facts: Any) -> Function:
    given = {"arguments": "", "kind": "f", "language": "sql", "volatility": "stable", "security_definer": True}
    given |= {"config": (), "standard_body": False, "owner": "app"}
    return Function(Name("public", name), **{**given, **facts})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "public, pg_temp"),
        ({"config": ("search_path=app, pg_temp",)}, None),
        ({"config": ("search_path=app",)}, "app, pg_temp"),
        ({"config": ('search_path="App, x", "a""b"',)}, 'app, x, "a""b", pg_temp'),
        ({"config": ('search_path="$user", PUBLIC',)}, '"$user", public, pg_temp'),
        ({"config": ("search_path=pg_temp, app, pg_temp",)}, "app, pg_temp"),
        ({"config": ("search_path=pg_temp, app",)}, "app, pg_temp"),
        ({"config": ('search_path=""',)}, None),
        ({"config": ("search_path=pg_catalog",)}, None),
        ({"config": ('search_path=pg_catalog, ""',)}, None),
        ({"config": ("work_mem=1MB", "search_path=app")}, "app, pg_temp"),
        ({"config": ("search_path=a=b",)}, '"a=b", pg_temp'),
        ({"security_definer": False}, None),
        ({"standard_body": True}, None),
        ({"kind": "a"}, None),
        ({"kind": "p"}, "public, pg_temp"),
    ],
)
def test_search_paths(facts: dict[str, Any], expected: str | None) -> None:
    findings = found("definer-without-search-path", functions=(function(**facts),))
    ups = [finding.remedy.up[0].partition(" TO ")[2] for finding in findings]  # type: ignore[union-attr]
    assert ups == ([expected] if expected else [])


def test_functions_of_policies() -> None:
    own = (function("mine"), function("pure", volatility="immutable"), function("noisy", volatility="volatile"))
    functions = Functions(Schema("database", (), functions=(*own, function("total", kind="a"))), ["auth.uid"])
    session = [("mine",), ("public", "mine"), ("noisy",), ("current_setting",), ("pg_catalog", "current_setting")]
    assert all(map(functions.same_for_all_rows, [*session, ("auth", "uid")]))
    others = [("pure",), ("total",), ("other", "mine"), ("app", "current_setting"), ("uid",), ("now",)]
    others += [("x", "auth", "uid"), ("pg_catalog", "x", "current_setting")]
    assert not any(map(functions.same_for_all_rows, others))
    movable = [("mine",), ("pure",), ("auth", "uid"), ("now",), ("pg_catalog", "now")]
    assert all(map(functions.movable, movable))
    stay = [("total",), ("count",), ("random",), ("pg_sleep",), ("lo_get",), ("app", "now"), ("a", "b", "now")]
    assert not any(map(functions.movable, stay))
    assert [functions.volatile((name,)) for name in ("mine", "pure", "noisy", "now")] == [False, False, True, False]


def test_statements_about_policies() -> None:
    named = policy(TENANT, "true", name="My p", command="UPDATE", roles=("job", "app"), permissive=False, table=THIRD)
    changed = alter_policy(named, "false", "true")
    assert changed.up == ('ALTER POLICY "My p" ON "Sales"."Order" USING (false)',)
    assert changed.down == (f'ALTER POLICY "My p" ON "Sales"."Order" USING ({TENANT})',)
    assert changed.model == (
        'Policy("My p", using="false", with_check="true", command="UPDATE", roles=("job", "app",), permissive=False)'
    )
    both = alter_policy(policy(TENANT, "true"), "a", "b")
    assert both.up[0].endswith("ON public.item USING (a) WITH CHECK (b)")
    assert both.model == 'Policy("p", using="a", with_check="b")'
    assert alter_policy(policy("true", None), "a", None).model == 'Policy("p", using="a")'


def test_statements_about_privileges() -> None:
    grant = Grant("PUBLIC", "SELECT", "table", ITEM, "app", False)
    of_column = replace(grant, privilege="UPDATE", column="Code")
    done = revoke([grant, of_column], "TABLE public.item", "app")
    assert isinstance(done, Statements)
    assert done.up == ('REVOKE SELECT, UPDATE ("Code") ON TABLE public.item FROM PUBLIC',)
    others = [grant, replace(grant, grantor="Job"), replace(of_column, grantor="cron")]
    asked = revoke(others, "TABLE public.item", "app")
    assert isinstance(asked, Advice) and ' FROM PUBLIC as "Job", app, cron: ' in asked.text
    entry = DefaultPrivilege("app", "Sales", "table", "PUBLIC", "SELECT")
    default = revoke_default([entry, replace(entry, privilege="INSERT")])
    assert default.up[0].endswith('FOR ROLE app IN SCHEMA "Sales" REVOKE SELECT, INSERT ON TABLES FROM PUBLIC')
    assert revoke_default([replace(entry, schema=None)]).down[0].endswith("ROLE app GRANT SELECT ON TABLES TO PUBLIC")
    procedure = set_search_path(function(kind="p", arguments="text"), ["", "App"], ["x"])
    assert procedure.up == ("ALTER PROCEDURE public.f(text) SET search_path TO '', \"App\"",)
    assert procedure.down == ("ALTER PROCEDURE public.f(text) SET search_path TO x",)


def tenants(*names: Name, security: bool = True, using: str = TENANT, **facts: Any) -> list[Table]:
    unique = (facts.pop("unique"),) if "unique" in facts else ()
    return [
        table(
            column("id", table=name),
            column("tenant_id", table=name),
            column("owner", table=name),
            *unique,
            name=name,
            row_security=security,
            policies=(replace(policy(using), table=name),) if security else (),
            **facts,
        )
        for name in names
    ]


OWNER = "(owner = tenant())"


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([*tenants(OTHER, THIRD), *tenants(ITEM, security=False)], ["public.item"]),
        ([*tenants(OTHER), *tenants(ITEM, security=False)], ["public.item"]),
        ([*tenants(OTHER), *tenants(THIRD, using=OWNER), *tenants(ITEM, security=False)], []),
        (
            [*tenants(OTHER, THIRD), *tenants(Name("a", "b"), using=OWNER), *tenants(ITEM, security=False)],
            ["public.item"],
        ),
        ([*tenants(OTHER, THIRD)], []),
        ([*tenants(ITEM, security=False)], []),
        ([*tenants(OTHER, primary_key=Key(OTHER, "k", ("tenant_id",), True)), *tenants(ITEM, security=False)], []),
        (
            [
                *tenants(OTHER, primary_key=Key(OTHER, "k", ("tenant_id", "id"), True)),
                *tenants(ITEM, security=False),
            ],
            ["public.item"],
        ),
        (
            [
                *tenants(OTHER, unique=Key(OTHER, "u", ("tenant_id",), False)),
                *tenants(ITEM, security=False),
            ],
            [],
        ),
    ],
)
def test_tables_of_tenants_without_row_security(tables: list[Table], expected: list[str]) -> None:
    plain = [replace(item, primary_key=item.primary_key or Key(item.name, "k", ("id",), True)) for item in tables]
    assert [finding.object for finding in found("unprotected-tenant-table", *plain)] == expected


def test_an_index_for_a_policys_column() -> None:
    assert len(found("unindexed-policy-column", protected(policy(TENANT)))) == 1
    served = index("by_tenant", "tenant_id")
    assert found("unindexed-policy-column", protected(policy(TENANT), parts=(served,))) == []
    assert found("unindexed-policy-column", protected(policy(None, TENANT, command="INSERT"))) == []
    parent = protected(policy(TENANT), kind="partitioned")
    one = replace(protected(parts=(served,)), name=OTHER, partition_of=ITEM, policies=())
    bare = replace(protected(), name=THIRD, partition_of=ITEM, policies=())
    outside = replace(bare, kind="foreign")
    assert found("unindexed-policy-column", parent, one) == found("unindexed-policy-column", parent, one, outside) == []
    assert len(found("unindexed-policy-column", parent, one, bare)) == 1


def test_views_past_row_security() -> None:
    def view(name: str, *reads: Name, **facts: Any) -> View:
        return View(Name("public", name), "", "app", False, False, frozenset((item, None) for item in reads), **facts)

    other = replace(protected(policy(TENANT)), name=OTHER)
    views = (
        view("direct", ITEM, OTHER),
        view("through", Name("public", "direct"), Name("public", "also")),
        view("also", ITEM),
        view("kept", ITEM, materialized=True),
        replace(view("right", ITEM), security_invoker=True),
        view("free", THIRD),
    )
    findings = found("view-past-row-security", protected(policy(TENANT)), other, views=views)
    assert {finding.object for finding in findings} >= {"public.direct", "public.through", "public.also"}
    assert not {"public.right", "public.free"} & {finding.object for finding in findings}


def test_privileges_and_extensions_of_everybody() -> None:
    entry = DefaultPrivilege("app", None, "table", "PUBLIC", "SELECT")
    defaults = (entry, replace(entry, privilege="INSERT"), replace(entry, grantee="job"))
    assert found("public-grant", default_privileges=defaults)
    extensions = (Extension("hstore", "public", "1.8", True), Extension("My ext", "public", "1", False))
    assert len(found("extension-in-public", extensions=extensions)) == 2
    called = "(tenant_id = (f(a.x) + other.g()))"
    functions = (function("one", volatility="volatile"), function("two", volatility="volatile"), function("three"))
    several = protected(policy("(tenant_id = (one() + two()))"), policy(None, "(id = (one() + three()))", name="q"))
    assert len(found("policy-evaluated-per-row", several, functions=functions)) == 2
    assert found("policy-evaluated-per-row", protected(policy(called)), functions=functions) == []
