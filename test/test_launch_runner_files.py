"""Launch files to command lines: substitutions, typed values, scopes.

The expected results were compared with the official frontend (launch, launch_ros and launch_yaml,
branches humble and jazzy).
"""

import os
from pathlib import Path

import pytest
import yaml
from launch_runner.errors import LaunchError, Where
from launch_runner.plan import LaunchPlan, declared_arguments
from launch_runner.substitutions import Scope, parse_template
from launch_workspace import LaunchWorkspace

WHERE = Where(Path("a.launch.yaml"), 7)
SET = {"i": "5", "f": "2.5", "b": "true", "s": "word", "e": "", "l": "[1, 2]", "ii": "i"}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    made = LaunchWorkspace(tmp_path)
    made.program("show", "echo shown")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(made.prefix))
    monkeypatch.setenv("T_SET", "from env")
    monkeypatch.delenv("T_UNSET", raising=False)
    return made


@pytest.fixture
def plan(workspace):
    return workspace.plan


@pytest.fixture
def arguments_of(plan):
    """What the one node of a file gets after its program's name."""

    def make(text: str, **arguments: str) -> list[str]:
        [process] = plan(text, **arguments).processes
        return list(process.command[1:])

    return make


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("$(var i)", "5"),
        ("a$(var i)b$(var f)", "a5b2.5"),
        ("$(var $(var ii))", "5"),
        ("$(var unset fallback)", "fallback"),
        ("$(var unset $(var s))", "word"),
        ("$(env T_SET)", "from env"),
        ("$(env T_UNSET d)", "d"),
        ("$(env T_UNSET 'a b')", "a b"),
        ('$(env T_UNSET "x$(var i)y")', "x5y"),
        ("$(env T_UNSET '')", ""),
        ("$(env T_UNSET a\\)b)", "a)b"),
        ("$(var 'i')", "5"),
        ("$(eval '1 + 2')", "3"),
        ("$(eval '$(var i) * 2')", "10"),
        ("""$(eval "'$(var s)' == 'word'")""", "True"),
        ("$(eval 'sqrt(4)')", "2.0"),
        ("\\$(var i)", "$(var i)"),
        ("\\\\$(var i)", "\\$(var i)"),
        ("5$ and 100$", "5$ and 100$"),
        ("a\\ b", "a b"),
        ("it's (plain)", "it's (plain)"),
    ],
)
def test_substitutions(text, expected):
    scope = Scope(dict(SET), {"T_SET": "from env"})
    assert scope.expand(parse_template(text, WHERE)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$(var nowhere)", "no argument or let of that name"),
        ("$(env T_UNSET)", "not set, and no default"),
        ("$(find-pkg-share no_such_pkg)", "package 'no_such_pkg' not found in AMENT_PREFIX_PATH"),
        ("$(eval 'nowhere')", "NameError"),
        ("$(eval 1 + 2)", r"\$\(eval\) takes 1 arguments, not 3"),
        ("$(var)", r"takes 1 or 2 arguments, not 0"),
        ("$(dirname)", r"substitution \$\(dirname\) is not supported; supported: var, env"),
        ("$(env T_UNSET a\\ b)", "takes 1 or 2 arguments, not 3"),
        ("$(var  i)", "one space parts the arguments"),
        ("$( var i)", "name must follow"),
        ("$(var i", r"\) is missing"),
        ("$(var 'i)", "' is missing"),
        ("$(var i(j)", "needs a backslash"),
        ("$(env A a'b)", "needs a backslash"),
    ],
)
def test_bad_substitutions_are_named_with_file_and_line(text, message):
    with pytest.raises(LaunchError, match=message) as caught:
        Scope(dict(SET), {"T_SET": "x"}).expand(parse_template(text, WHERE))
    assert str(caught.value).startswith("a.launch.yaml:7: ")


LETS = "".join(f"  - let: {{name: {name}, value: '{value}'}}\n" for name, value in SET.items())


def _node_with_value(written: str, type_name: str | None) -> str:
    extra = f", type: {type_name}" if type_name else ""
    return (
        f"launch:\n{LETS}  - node: {{pkg: demo_pkg, exec: show, "
        f"param: [{{name: p, value: {written}{extra}}}]}}\n"
    )


@pytest.mark.parametrize(
    ("written", "type_name", "expected"),
    [
        # as YAML says
        ("5", None, 5),
        ("5.0", None, 5.0),
        ("true", None, True),
        ("hello", None, "hello"),
        ("'5'", None, "5"),
        ("'true'", None, "true"),
        ("''", None, ""),
        ("1e3", None, "1e3"),
        ("[1, 2]", None, [1, 2]),
        ("[a, b]", None, ["a", "b"]),
        ("['1', '2']", None, ["1", "2"]),
        ("[]", None, []),
        # the result of a substitution is typed again
        ("$(var i)", None, 5),
        ("$(var f)", None, 2.5),
        ("$(var b)", None, True),
        ("$(var e)", None, ""),
        ("a$(var i)", None, "a5"),
        ("$(var i)$(var i)", None, 55),
        ("$(var l)", None, [1, 2]),
        ("['$(var i)', 3]", None, [5, 3]),
        ("['$(var s)', a]", None, ["word", "a"]),
        # unless a type is given
        ("$(var i)", "str", "5"),
        ("$(var i)", "float", 5.0),
        ("$(var f)", "yaml", 2.5),
        ("['$(var i)', '$(var i)']", "list_of_str", ["5", "5"]),
        ("['$(var i)', '$(var f)']", "list_of_float", [5.0, 2.5]),
    ],
)
def test_parameter_values_have_the_official_types(arguments_of, written, type_name, expected):
    arguments = arguments_of(_node_with_value(written, type_name))
    assert arguments[:2] == ["--ros-args", "--params-file"]
    [(key, content)] = yaml.safe_load(Path(arguments[2]).read_text()).items()
    value = content["ros__parameters"]["p"]
    assert (key, value, type(value)) == ("/**", expected, type(expected))


@pytest.mark.parametrize(
    ("written", "type_name"),
    [
        ("null", None),
        ("{a: 1}", None),
        ("[[1]]", None),
        ("[1, a]", None),
        ("[1, 2.0]", None),
        ("2020-01-01", None),
        ("['$(var i)', '$(var s)']", None),
        ("5", "float"),
        ("'5'", "int"),
        ("$(var s)", "int"),
        ("$(var s)", "bool"),
        ("$(var l)", "list_of_int"),
        ("[1]", "int"),
        ("[]", "list_of_int"),
        ("5", "number"),
    ],
)
def test_values_that_are_no_parameter_are_refused(plan, written, type_name):
    with pytest.raises(LaunchError, match=rf"test\.launch\.yaml:{len(SET) + 2}: .*(value|'|type)"):
        plan(_node_with_value(written, type_name))


NODE = "node: {pkg: demo_pkg, exec: show"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("", ["--ros-args"]),
        ("name: n", ["--ros-args", "-r", "__node:=n"]),
        (
            "name: n, namespace: a/",
            ["--ros-args", "-r", "__node:=n", "-r", "__ns:=/a"],
        ),
        ("namespace: ''", ["--ros-args", "-r", "__ns:=/"]),
        (
            "remap: [{from: a, to: b}, {from: c, to: /d}]",
            ["--ros-args", "-r", "a:=b", "-r", "c:=/d"],
        ),
        ("args: a --x=$(env T_SET) 'b c'", ["a", "--x=from env", "b c", "--ros-args"]),
        ("args: $(var none '') z", ["", "z", "--ros-args"]),
        ("ros_args: --log-level debug", ["--ros-args", "--log-level", "debug", "--ros-args"]),
    ],
)
def test_node_command_lines(arguments_of, extra, expected):
    separator = ", " if extra else ""
    assert arguments_of(f"launch:\n- {NODE}{separator}{extra}}}\n") == expected


def test_parameters_come_in_order_and_under_the_full_name(workspace, arguments_of):
    (workspace.share / "p.yaml").write_text("/**: {ros__parameters: {z: 0}}\n")
    arguments = arguments_of("""
        launch:
        - node:
            pkg: demo_pkg
            exec: show
            name: camera
            namespace: robot
            param:
            - {name: rate_hz, value: 30.0}
            - {from: $(find-pkg-share demo_pkg)/p.yaml}
            - name: lens
              param:
              - {name: k1, value: 0.5}
              - {name: deep, param: [{name: k2, value: true}]}
    """)
    files = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--params-file"]
    assert files[1] == str(workspace.share / "p.yaml")
    written = [yaml.safe_load(Path(file).read_text()) for file in (files[0], files[2])]
    assert written == [
        {"/robot/camera": {"ros__parameters": {"rate_hz": 30.0}}},
        {"/robot/camera": {"ros__parameters": {"lens.k1": 0.5, "lens.deep.k2": True}}},
    ]


def test_processes_carry_labels_environment_and_output(plan, tmp_path):
    started = plan(f"""
        launch:
        - set_env: {{name: T_GROUP, value: all}}
        - node: {{pkg: demo_pkg, exec: show, exec_name: camera, output: screen, cwd: {tmp_path},
                  env: [{{name: T_OWN, value: $(env T_SET)}}]}}
        - executable: {{cmd: echo 'a b' c, launch-prefix: env X=1, respawn: "true",
                        respawn_delay: 0.5}}
        - node: {{pkg: demo_pkg, exec: show, env: [{{name: LAUNCH_ON_EXIT, value: shutdown}}]}}
    """).processes
    assert [p.label for p in started] == ["camera-1", "env-2", "show-3"]
    assert [p.shows for p in started] == [(True, True), (False, True), (False, True)]
    assert [p.is_required for p in started] == [False, False, True]
    assert started[0].environment["T_OWN"] == "from env"
    assert started[0].environment["T_GROUP"] == started[1].environment["T_GROUP"] == "all"
    assert "T_OWN" not in started[1].environment
    assert started[0].environment["PATH"] == os.environ["PATH"]
    assert started[0].cwd == str(tmp_path)
    assert started[1].command == ("env", "X=1", "echo", "a b", "c")
    assert (started[1].respawn, started[1].respawn_delay_s) == (True, 0.5)


@pytest.mark.parametrize(
    ("condition", "is_taken"),
    [
        ('if: "true"', True),
        ('if: " 1 "', True),
        ('if: "False"', False),
        ('if: "0"', False),
        ('unless: "true"', False),
        ('unless: "0"', True),
        ("""if: $(eval "'$(var mode)' == 'mock'")""", True),
        ("""unless: $(eval "'$(var mode)' == 'mock'")""", False),
    ],
)
def test_conditions(plan, condition, is_taken):
    made = plan(f"""
        launch:
        - let: {{name: mode, value: mock}}
        - group:
            {condition}
            children:
            - executable: {{cmd: echo}}
        - executable:
            cmd: echo
            {condition}
    """)
    assert len(made.processes) == (2 if is_taken else 0)


def _words(plan: LaunchPlan) -> list[str]:
    return [" ".join(process.command[1:]) for process in plan.processes]


def test_a_group_is_a_scope_unless_told_otherwise(plan):
    made = plan("""
        launch:
        - let: {name: x, value: outer}
        - group:
          - let: {name: x, value: inner}
          - set_env: {name: T_NEW, value: inner}
          - executable: {cmd: echo $(var x) $(env T_NEW none)}
        - executable: {cmd: echo $(var x) $(env T_NEW none)}
        - group:
            scoped: false
            children:
            - let: {name: x, value: leaked}
            - set_env: {name: T_NEW, value: leaked}
        - executable: {cmd: echo $(var x) $(env T_NEW none)}
    """)
    assert _words(made) == ["inner inner", "outer none", "leaked leaked"]


def test_namespaces_are_pushed_for_the_rest_of_a_group(plan):
    made = plan("""
        launch:
        - group:
          - push_ros_namespace: {namespace: robot}
          - node: {pkg: demo_pkg, exec: show}
          - node: {pkg: demo_pkg, exec: show, namespace: arm}
          - node: {pkg: demo_pkg, exec: show, namespace: /abs}
          - group:
            - push-ros-namespace: {namespace: inner}
            - node: {pkg: demo_pkg, exec: show}
        - node: {pkg: demo_pkg, exec: show}
    """)
    assert [words.partition("__ns:=")[2] for words in _words(made)] == [
        "/robot",
        "/robot/arm",
        "/abs",
        "/robot/inner",
        "",
    ]


def test_an_include_gets_arguments_and_leaves_what_it_sets(workspace, plan):
    workspace.file(
        """
        launch:
        - arg: {name: who, default: nobody}
        - let: {name: seen, value: $(var who)}
        - executable: {cmd: echo $(var who)}
        """,
        "inner.launch.yaml",
    )
    made = plan("""
        launch:
        - let: {name: inner, value: $(find-pkg-share demo_pkg)/launch/inner.launch.yaml}
        - group:
          - include: {file: $(var inner)}
        - executable: {cmd: echo $(var seen unset)}
        - include: {file: $(var inner), arg: [{name: who, value: me}]}
        - executable: {cmd: echo $(var seen unset)}
        - include: {file: $(var inner)}
    """)
    assert _words(made) == ["nobody", "unset", "me", "me", "me"]


def test_arguments_have_defaults_choices_and_values(plan):
    text = """
        launch:
        - arg: {name: mode, default: real, choice: [{value: real}, {value: mock}]}
        - arg: {name: port, default: "90$(var mode)"}
        - executable: {cmd: echo $(var mode) $(var port)}
    """
    assert _words(plan(text, mode="mock")) == ["mock 90mock"]


def test_timeouts_are_launch_configurations(plan):
    made = plan(
        'launch:\n- let: {name: sigkill_timeout, value: "0.5"}\n- executable: {cmd: echo}\n',
        sigterm_timeout="2",
    )
    assert (made.sigterm_timeout_s, made.sigkill_timeout_s) == (2.0, 0.5)


def test_arguments_of_branches_not_taken_and_of_includes_are_known(workspace):
    workspace.file("launch:\n- arg: {name: deep, default: x}\n", "inner.launch.yaml")
    path = workspace.file("""
        launch:
        - arg: {name: top, description: The top.}
        - let: {name: file, value: inner.launch.yaml}
        - group:
            if: "false"
            children:
            - arg: {name: hidden, default: "1"}
            - include: {file: $(find-pkg-share demo_pkg)/launch/$(var file)}
            - include: {file: $(var unknown)/later.launch.yaml}
    """)
    assert list(declared_arguments(path, {})) == ["top", "hidden", "deep"]
