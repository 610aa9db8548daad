"""Export and import: the same graph after a round trip, the same text for the same graph, and no harm from any text."""

from __future__ import annotations

import io
import json
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.vm import importing, maintenance, transfer
from holdfast.vm.domains import Domain
from holdfast.vm.importing import BadText
from holdfast.vm.objects import UNSET, Box, live
from holdfast.vm.store import StoreError, WorldMissing
from tests.vm.worlds import LINK, POINT, World, canonical, closure


def exported(world: World) -> str:
    """The world as text."""
    text = io.StringIO()
    transfer.export_world(world.store, text)
    return text.getvalue()


def domain(token: Any, name: str) -> Domain:
    """A domain without limits."""
    made = Domain()
    made._t, made._i = token, 0
    made.parent, made.name, made.grants = None, name, None
    made.unlimited()
    return made


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A world with some of everything in it, and garbage."""
    made = World(tmp_path / "w")
    root = made.touch(made.heap.root)
    point = made.new(POINT, -0.0, 2**100, b"\x00\xff", range(0, 2**70, 3))
    link = made.new(LINK, True, float("inf"), -(2**63), 2**63, 'ü\u2028"\\\n\0')
    point._x, point._o = {"more": 1.0, "link": link}, domain(made.heap.token, "owner")
    box = Box()
    box._t, box._i, box.v = made.heap.token, 0, UNSET
    root.v |= {"p": point, "f": closure(point, closure(1, root), POINT), point: "key", "box": box, 1: True, "c": LINK}
    root.v["m"] = made.new("Map", {n: made.new(POINT, n, root, 0, 0) for n in range(5_000)})
    root.v["s"] = made.new("Set", dict.fromkeys([*range(5_000), point, "", b"", None]))
    root.v["l"] = made.new("List", [*range(20_000), point])
    half = POINT()
    half._t, half._i, half.f_b = made.heap.token, 0, "only b"
    root.v["half"] = half
    root.v["gone"] = made.new(POINT, 1, 2, 3, 4)
    made.checkpoints.force(side={b"\x00t": [point, "x", None]}, meta={b"source": b"\x00\xfftext"})
    del made.touch(root).v["gone"]
    made.touch(root.v["l"]).v.insert(700, "in the middle")
    del made.touch(root.v["m"]).v[5]
    made.save()
    yield made
    made.close()


def test_round_trip(world: World, tmp_path: Path) -> None:
    """An imported world has the same graph, side records and sources, checks clean, and exports to the same text."""
    text = exported(world)
    (tmp_path / "text").write_text(text, "utf-8")
    assert importing.import_world(tmp_path / "text", tmp_path / "i") == text.count('"id":')
    again = World(tmp_path / "i")
    assert canonical(again.heap.root) == canonical(world.heap.root)
    point = again.heap.root.v["p"]
    assert again.heap.root.v[point] == "key"
    assert (point._x["more"], point._x["link"].f_d, live(point._o).name) == (1.0, 2**63, "owner")
    assert again.heap.root.v["box"].v is UNSET
    assert not hasattr(again.heap.root.v["half"], "f_a")
    record = again.store.get(b"S\x00t")
    assert record is not None
    assert again.heap.codec.unpack(b"S\x00t", record) == [point, "x", None]
    assert exported(again) == text
    report = list(maintenance.check(again.store))[-1]
    assert (report.problems, report.garbage) == ([], 0)
    again.touch(again.heap.root.v["l"]).v.append(1)
    again.touch(again.heap.root.v["m"]).v["x"] = 1
    again.save()
    assert list(maintenance.check(again.store))[-1].problems == []
    again.close()


def test_the_text_is_for_people(world: World) -> None:
    """One line an object, each of it JSON with sorted keys; large collections go on in lines of their own."""
    lines = exported(world).split("\n")
    assert lines.pop() == ""
    values = [json.loads(line) for line in lines]
    assert values[0] == {"holdfast": "world", "format": 2}
    assert all(list(value) == sorted(value) for value in values)
    assert max(len(value.get("items", ())) for value in values) == transfer.LINE_ITEMS
    numbers = [value["id"] for value in values if "id" in value]
    assert numbers == list(range(1, len(numbers) + 1))


HEAD = '{"format":2,"holdfast":"world"}\n'
ROOT = HEAD + '{"roots":{"root":1}}\n'
EMPTY = ROOT + '{"class":2,"id":1,"items":[]}\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "not json",
        "[]",
        '{"format":3,"holdfast":"world"}\n',
        HEAD,
        ROOT,
        HEAD + '{"class":2,"id":1,"items":[]}\n',
        ROOT + '{"class":2,"id":2,"items":[]}\n',
        ROOT + '{"class":"x","id":1,"items":[]}\n',
        ROOT + '{"class":-1,"id":1,"items":[]}\n',
        ROOT + '{"class":2,"id":1}\n',
        ROOT + '{"class":2,"id":1,"items":5}\n',
        ROOT + '{"class":2,"id":1,"items":[1]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,{"ref":5}]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[{"ref":1},5]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,1],[1.0,1]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,{"unknown":5}]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,{"bytes":"?"}]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,{"int":"zz"}]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,18446744073709551616]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,NaN]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,"\\ud800"]]}\n',
        ROOT + '{"class":2,"id":1,"items":[[1,' + "[" * 100_000,
        ROOT + '{"class":2,"id":1,"items":[[1,' + "9" * 100_000 + "]]}\n",
        ROOT + '{"class":5,"id":1,"function":[1,2,3],"captured":[]}\n',
        EMPTY + '{"more":2,"items":[]}\n',
        EMPTY + '{"what":2}\n',
        EMPTY + '{"meta":"commit","bytes":""}\n',
        EMPTY + f'{{"meta":"class:999","bytes":"{b64encode(b"!").decode()}"}}\n',
        EMPTY + f'{{"meta":"class:999","bytes":"{b64encode(b"[!" + b"[" * 200_000).decode()}"}}\n',
        EMPTY + '{"meta":"module:K-7!main.hold","bytes":""}\n',
        EMPTY + '{"side":"eA==","values":[{"ref":9}]}\n',
        EMPTY + '{"class":300,"id":2,"fields":[[1]]}\n',
        EMPTY + '{"class":300,"id":2,"fields":[1],"schema":"x"}\n',
    ],
)
def test_bad_texts_are_refused(tmp_path: Path, text: str) -> None:
    """A text that is no export is refused with its line, and leaves nothing behind."""
    (tmp_path / "text").write_text(text, "utf-8")
    with pytest.raises(BadText) as caught:
        importing.import_world(tmp_path / "text", tmp_path / "i")
    assert "text" in str(caught.value)
    assert len(str(caught.value)) < 500
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_not_utf8(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, a missing file and a place that is taken are refused in words."""
    (tmp_path / "text").write_bytes(b"\xff\xfe\0")
    with pytest.raises(BadText):
        importing.import_world(tmp_path / "text", tmp_path / "i")
    with pytest.raises(BadText, match="cannot be read"):
        importing.import_world(tmp_path / "none", tmp_path / "i")
    with pytest.raises(BadText, match="cannot be read"):
        importing.import_world(tmp_path, tmp_path / "i")
    with pytest.raises(WorldMissing, match="exists already"):
        importing.import_world(tmp_path / "text", tmp_path)


@given(st.data())
def test_any_changed_text_is_refused_or_a_world(data: st.DataObject) -> None:
    """Whatever is changed in a text, an import makes a world that checks clean, or refuses."""
    lines = [EMPTY[:-1], '{"class":1,"id":2,"items":[1,{"ref":1},{"range":[0,1,1]},{"float":"inf"}]}']
    lines += ['{"class":300,"fields":[1,2.5,"x",{"ref":2}],"id":3,"schema":0}', '{"side":"eA==","values":[{"ref":3}]}']
    text = "\n".join(lines) + "\n"
    at = data.draw(st.integers(0, len(text) - 1))
    text = text[:at] + data.draw(st.sampled_from([*'0123456789"[]{}:,.-xe\n', "", "  "])) + text[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "text", Path(folder) / "i"
        source.write_text(text, "utf-8")
        try:
            importing.import_world(source, target)
        except StoreError:
            assert not target.exists()
            return
        made = World(target)
        assert list(maintenance.check(made.store))[-1].problems == []
        made.close()
