"""Launch files that are refused: each by file and line, and by what is wrong."""

import pytest
from launch_runner.errors import LaunchError
from launch_runner.plan import make_plan
from launch_workspace import LaunchWorkspace

NODE = "node: {pkg: demo_pkg, exec: show"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    made = LaunchWorkspace(tmp_path)
    made.program("show", "echo shown")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(made.prefix))
    return made


@pytest.fixture
def plan(workspace):
    return workspace.plan


# Each file's last entity is on line 3; the message must say so, and name what is wrong.
REFUSALS = {
    "- nodee: {pkg: a}": "3: entity 'nodee' is not supported; supported: arg, let",
    "- timer: {period: 1.0}": "3: entity 'timer' is not supported",
    "- node: {pkg: demo_pkg}": "3: 'node': attribute 'exec' is missing",
    f"- {NODE}, colour: red}}": "3: 'node': attribute 'colour' is not supported; supported: if",
    f"- {NODE}, on_exit: shutdown}}": "3: .*'on_exit' is not supported; Humble .* LAUNCH_ON_EXIT",
    f"- {NODE}, respawn_max_retries: 2}}": "3: .*'respawn_max_retries'.* Humble has no such",
    f"- {NODE}, name: 5}}": r"3: 'node': attribute 'name' must be a string \(quote it\); got 5",
    f"- {NODE}, if: true}}": "3: 'node': attribute 'if' must be a string",
    f"- {NODE}, if: maybe}}": "3: 'if' must become true, 1, false or 0; got 'maybe'",
    f"- {NODE}, if: '1', unless: '1'}}": "3: 'node': if and unless exclude each other",
    f"- {NODE}, respawn: true}}": "3: 'node': attribute 'respawn' must be a string",
    f"- {NODE}, respawn: maybe}}": "3: respawn: 'maybe' is no bool; allowed: true, false",
    f"- {NODE}, respawn_delay: 2}}": "3: .*'respawn_delay' must be a number .* with a point; got 2",
    f"- {NODE}, respawn_delay: -1.0}}": "3: .*'respawn_delay' must be a number of at least 0.0",
    f"- {NODE}, output: file}}": "3: output 'file' is not one of screen, both, log",
    f"- {NODE}, cwd: /no/where}}": "3: cwd '/no/where' is no directory",
    f"- {NODE}, name: b-d}}": "3: 'b-d' is no node name",
    f"- {NODE}, namespace: a//b}}": "3: '/a//b' is no namespace",
    f'- {NODE}, args: "\'open"}}': "3: command ''open': No closing quotation",
    f"- {NODE}, args: $(command ls)}}": r"3: substitution \$\(command\) is not supported",
    f"- {NODE}, remap: []}}": "3: .*'remap' must be a list of mappings, not empty",
    f"- {NODE}, remap: [{{from: a}}]}}": "3: 'remap': attribute 'to' is missing",
    f"- {NODE}, env: [{{name: A, value: 1}}]}}": "3: 'env': attribute 'value' must be a string",
    f"- {NODE}, env: [{{name: LAUNCH_ON_EXIT, value: stop}}]}}": "3: LAUNCH_ON_EXIT must be shutd",
    f"- {NODE}, respawn: 'true', env: [{{name: LAUNCH_ON_EXIT, value: shutdown}}]}}": (
        "3: respawn and LAUNCH_ON_EXIT exclude each other"
    ),
    f"- {NODE}, param: [{{name: a}}]}}": "3: 'param': attribute 'value' or 'param' is missing",
    f"- {NODE}, param: [{{value: 1}}]}}": "3: 'param': attribute 'name' or 'from' is missing",
    f"- {NODE}, param: [{{name: a, from: b}}]}}": "3: 'param': name and from exclude each other",
    f"- {NODE}, param: [{{from: no.yaml}}]}}": "3: parameter file 'no.yaml' does not exist",
    f"- {NODE}, param: [{{from: a, allow_substs: true}}]}}": "3: 'param': .*'allow_substs' is not",
    "- node: {pkg: demo_pkg, exec: none}": "3: package 'demo_pkg' has no executable 'none' in /",
    "- node: {pkg: no_pkg, exec: none}": "3: package 'no_pkg' not found in AMENT_PREFIX_PATH /",
    "- executable: {cmd: no_such_program a}": "3: program 'no_such_program' not found",
    "- let: {name: a, value: 5}": "3: 'let': attribute 'value' must be a string",
    "- arg: {name: a, default: 5}": "3: 'arg': attribute 'default' must be a string",
    "- arg: {name: a}": "3: argument 'a' has no default and is not given",
    "- arg: {name: a, if: '1'}": "3: argument 'a' has no default and is not given",
    "- arg: {name: a, default: z, choice: [{value: x}]}": "3: argument 'a' must be one of x; got",
    "- include: {file: none.launch.yaml}": "3: launch file 'none.launch.yaml' cannot be read: No",
    "- include: {file: a.launch.py}": "3: launch file 'a.launch.py' is not supported; only YAML",
    "- include: {file: a.launch.yaml, let: [{name: a, value: b}]}": "3: 'include': attribute 'let'",
    "- group: {scoped: 'false', children: []}": "3: 'group': attribute 'scoped' must be true or",
    "- group: {forwarding: true, children: []}": "3: 'group': attribute 'forwarding' is not supp",
    "- group: 5": "3: 'group' must be a mapping",
    "- group: [{nodee: {}}]": "3: entity 'nodee'",
    "- let: {name: a, value: b}\n  arg: {name: a}": "3: an entity has one key, its kind; got let, ",
    "- let: {name: a, name: b, value: c}": "3: 'let' has 'name' 2 times",
    "- let: {name: a, value: [}": "3: not valid YAML",
    "- let: {name: a, value: !odd b}": "3: not valid YAML: could not determine a constructor",
    "- just text": "3: an entity must be a mapping",
    # In a branch that is not taken, too.
    "- group: {if: '0', children: [{let: {name: a, value: $(anon b)}}]}": r"3: .*\$\(anon\)",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_name_file_and_line(plan, text):
    with pytest.raises(LaunchError, match=rf"test\.launch\.yaml:{REFUSALS[text]}") as caught:
        plan(f"launch:\n- let: {{name: x, value: y}}\n{text}\n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: the file is empty"),
        ("node: []\n", "1: the file must hold 'launch:' alone, got node"),
        ("launch: []\nother: 1\n", "1: the file must hold 'launch:' alone, got launch, other"),
        ("launch: {children: []}\n", "1: 'launch' must hold a list of entities"),
        ("- launch\n", "1: the file must be a mapping"),
    ],
)
def test_files_that_are_no_launch_file_are_refused(plan, text, message):
    with pytest.raises(LaunchError, match=rf"test\.launch\.yaml:{message}"):
        plan(text)


def test_a_file_that_is_no_text_is_refused(workspace, tmp_path):
    path = workspace.file("")
    path.write_bytes(b"launch: \xff\xfe")
    with pytest.raises(LaunchError, match="cannot be read: not UTF-8 text"):
        make_plan(path, {}, tmp_path)


def test_unknown_arguments_are_refused(plan):
    with pytest.raises(LaunchError, match="'b' is not declared by .*; declared: a$"):
        plan("launch:\n- arg: {name: a, default: x}\n", b="1")


def test_a_required_argument_must_be_passed_on_by_an_include(workspace, plan):
    workspace.file("launch:\n- arg: {name: must}\n", "inner.launch.yaml")
    with pytest.raises(LaunchError, match=r"inner\.launch\.yaml:2: argument 'must' has no default"):
        plan("""
            launch:
            - let: {name: must, value: set outside}
            - include: {file: $(find-pkg-share demo_pkg)/launch/inner.launch.yaml}
        """)


def test_a_file_that_includes_itself_is_refused(plan):
    with pytest.raises(LaunchError, match=r"test\.launch\.yaml:2: .* includes itself"):
        plan(
            "launch:\n- include: {file: $(find-pkg-share demo_pkg)/launch/test.launch.yaml}\n",
        )


@pytest.mark.parametrize("value", ["-1", "soon", "nan"])
def test_timeouts_must_be_seconds(plan, value):
    with pytest.raises(LaunchError, match=f"sigterm_timeout.*{value}"):
        plan("launch: []\n", sigterm_timeout=value)
