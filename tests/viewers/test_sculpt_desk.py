"""One history in several places: views in browsers and the session in Python."""

from __future__ import annotations

import gc
from typing import Any

from headviz.geometry.mesh import Mesh
from headviz.sculpt import Brush, SculptSession, SetSliders, Stroke
from headviz.viewers import view_sculpt
from headviz.viewers.sculpt_widget import Exchange

from .node import run_module
from .test_sculpt import twinned


class Views:
    """What the views of a widget are told."""

    def __init__(self, session: SculptSession) -> None:
        self.told: list[dict[str, Any]] = []
        self.exchange = Exchange(session, self.told.append)

    def take(self, **message: Any) -> list[dict[str, Any]]:
        """What is told in answer."""
        before = len(self.told)
        self.exchange.take(message)
        return self.told[before:]


def test_the_kernel_numbers_steps_and_tells_all_views(small_head: Mesh) -> None:
    session = SculptSession(small_head)
    views, others = Views(session), Views(session)
    stroke = Stroke(Brush("inflate", 0.05), ((0.03, 0.0, 0.1),))
    (answer,) = views.take(op="apply", step=stroke.plain(), token="a:1")
    assert answer == {
        "entries": [{"id": 1, "parent": 0, "step": stroke.plain()}], "current": 1, "versions": {},
        "token": "a:1", "view": None,
    }  # fmt: skip
    assert others.told == [{**answer, "token": None}], "another widget of the session is told too"
    session.apply(SetSliders({"jawOpen": 1.0}))
    assert [line["id"] for line in views.told[-1]["entries"]] == [2]
    assert views.take(op="undo", token="a:2")[0] | {"view": None} == {
        "entries": [],
        "current": 1,
        "versions": {},
        "token": "a:2",
        "view": None,
    }
    (branch,) = views.take(op="apply", step=stroke.plain(), token="a:3")
    assert (branch["entries"][0]["parent"], branch["current"]) == (1, 3)
    assert views.take(op="goto", id=-1, made="a:1", token="a:4")[0]["current"] == 1
    assert views.take(op="redo", token="a:5")[0]["current"] == 3
    assert views.take(op="redo", token="a:6")[0]["current"] == 3, "nothing to redo is an answer too"
    assert views.take(op="keep", name="branch", token="a:7")[0]["versions"] == {"branch": 3} == session.versions
    (late,) = views.take(op="hello", known=1, view="b")
    assert ([line["id"] for line in late["entries"]], late["current"], late["view"]) == ([2, 3], 3, "b")


def test_what_the_session_refuses_is_told_and_changes_nothing(small_head: Mesh) -> None:
    session = SculptSession(small_head)
    views = Views(session)
    for message in (
        {"op": "apply", "step": {"kind": "jump"}},
        {"op": "apply"},
        {"op": "fly"},
        {"op": "goto", "id": 9},
        {"op": "keep", "name": " "},
    ):
        (answer,) = views.take(**message, token="a:1")
        assert answer["error"]
        assert answer["token"] == "a:1"
    assert session.current == 0
    assert len(session.history) == 1


def test_a_step_that_comes_during_a_stroke_waits(small_head: Mesh) -> None:
    session = SculptSession(small_head)
    views = Views(session)
    live = session.begin(Brush("grab", 0.05), (0.03, 0.0, 0.1))
    live.move((0.03, 0.0, 0.11))
    assert views.take(op="apply", step=SetSliders({"jawOpen": 1.0}).plain(), token="a:1") == []
    live.finish()
    assert [told["current"] for told in views.told] == [1, 2]
    assert views.told[-1]["token"] == "a:1"
    assert session.sliders["jawOpen"] == 1.0


DESKS = """
import { sessionOf } from "./sculpt.js";
import { Desk } from "./sculpt/desk.js";
import { Sculpting } from "./algorithms/sculpting.js";
const typed = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, values]) =>
  [name, { data: (/faces|mirror|indices/.test(name) ? Int32Array : Float32Array).from(values.flat()) }]));
// A kernel that answers late, as headviz/viewers/sculpt_widget.py answers, and its own ideas of what to do.
class Kernel {
  constructor(session) { Object.assign(this, { session, inbox: [], views: [], made: new Map() }); }
  channel() {
    const queue = [];
    const view = { queue, listener: () => {} };
    this.views.push(view);
    return { send: (message) => this.inbox.push(JSON.parse(JSON.stringify(message))), on: (_, listener) => (view.listener = listener), off() {} };
  }
  tell(known, token) {
    const { history } = this.session;
    const entries = [...history.entries.values()].filter(({ id }) => id > known).map(({ id, parent, step }) => ({ id, parent, step }));
    const { current, versions } = history;
    for (const { queue } of this.views) queue.push(JSON.stringify({ entries, current, versions, token, view: null }));
  }
  work() {
    const message = this.inbox.shift();
    if (message === undefined || message.op === "hello") return;
    const { history } = this.session;
    const known = Math.max(...history.entries.keys());
    if (message.op === "apply") this.made.set(message.token, history.apply(message.step).id);
    if (message.op === "undo") history.undo();
    if (message.op === "redo") history.redo();
    if (message.op === "goto") history.goto(this.made.get(message.made) ?? message.id);
    if (message.op === "keep") history.keepVersion(message.name);
    this.tell(known, message.token);
  }
  own(step) {
    const known = Math.max(...this.session.history.entries.keys());
    if (step === null) this.session.history.undo();
    else this.session.history.apply(step);
    this.tell(known, null);
  }
}
const answer = ({ facts, arrays, seeds }) => seeds.map((seed) => {
  let number = seed;
  const random = (below) => { number = (number * 48271) % 2147483647; return number % below; };
  const fresh = () => sessionOf({ facts, arrays: typed(arrays) });
  const kernel = new Kernel(fresh());
  const failures = [];
  const desks = [0, 1].map(() => new Desk(fresh(), kernel.channel(), (text) => failures.push(text)));
  const stroke = (tool) => ({ kind: "stroke", vector: [0, 0, 0.005], points: [[0.03 * (random(3) - 1), 0.01 * random(5), 0.1]],
    brush: { tool, radius: 0.04, strength: 1, falloff: "smooth", invert: false, symmetric: random(2) === 1 } });
  let [asked, unseen] = [0, 0];
  let live = null;
  const settle = () => kernel.views.forEach(({ queue, listener }) => queue.splice(0).forEach((text) => listener(JSON.parse(text))));
  for (let turn = 0; turn < 120; turn += 1) {
    const [kind, who] = [random(14), random(2)];
    const desk = desks[who];
    if (kind < 3) { if (desk.live === null) { desk.apply(stroke(["grab", "inflate", "smooth"][kind])); asked += 1; } }
    else if (kind === 3) desk.undo();
    else if (kind === 4) desk.redo();
    else if (kind === 5) { const line = desk.session.history.line(); if (desk.live === null) desk.goto(line[random(line.length)].id); }
    else if (kind === 6 && live === null) { live = desk; const held = desk.hold(desk.session.begin(stroke("grab").brush, [0.03, 0, 0.1])); held.move([0.03, 0, 0.11]); }
    else if (kind === 7 && live !== null) { live.release(); live = null; asked += 1; }
    else if (kind === 8) { kernel.own(random(3) === 0 ? null : stroke("pinch")); }
    else if (kind === 9) { const { queue, listener } = kernel.views[who]; if (queue.length > 0) listener(JSON.parse(queue.shift())); }
    else if (kind === 10) desk.keep(["a", "b", "c"][random(3)]);
    else kernel.work();
    for (const { session, pending } of desks) {
      const guesses = [...session.history.entries.keys()].filter((id) => id < 0).length;
      if (guesses !== pending.filter(({ op }) => op === "apply").length) unseen += 1;
    }
  }
  if (live !== null) { live.release(); asked += 1; }
  while (kernel.inbox.length > 0) kernel.work();
  settle();
  const { history } = kernel.session;
  const own = [...history.entries.values()].filter(({ step }) => step?.kind === "stroke" && step.brush.tool !== "pinch").length;
  return { asked, own, unseen, failures, pending: desks.map(({ pending }) => pending.length), entries: desks.map(({ session }) => session.history.entries.size - history.entries.size),
    versions: desks.map(({ session }) => Object.entries(session.history.versions).sort()), kept: Object.entries(history.versions).sort(),
    current: desks.map(({ session }) => session.history.current - history.current), steps: history.entries.size,
    apart: desks.map(({ session }) => session.positions.reduce((most, value, k) => Math.max(most, Math.abs(value - kernel.session.positions[k])), 0)) };
});
"""


def test_two_views_and_a_kernel_agree_in_the_end_and_lose_nothing(small_head: Mesh) -> None:
    record = view_sculpt(SculptSession(twinned(small_head))).record
    arrays = {name: record.arrays[name] for name in record.arrays if name != "texture"}
    for found in run_module(DESKS, {"facts": dict(record.facts), "arrays": arrays, "seeds": list(range(11, 19))}):
        assert found["steps"] > 20
        assert found["asked"] == found["own"], "every step that a view made is in the kernel's history, once"
        assert found["unseen"] == 0, "a view shows its own steps before the kernel has answered"
        assert found["failures"] == []
        assert found["pending"] == found["entries"] == found["current"] == [0, 0]
        assert found["versions"] == [found["kept"]] * 2
        assert max(found["apart"]) <= 1e-7


def test_what_the_kernel_refuses_is_taken_back_and_said(small_head: Mesh) -> None:
    record = view_sculpt(SculptSession(small_head)).record
    code = """
    import { sessionOf } from "./sculpt.js";
    import { Desk } from "./sculpt/desk.js";
    const answer = ({ facts, arrays }) => {
      const typed = Object.fromEntries(Object.entries(arrays).map(([name, values]) =>
        [name, { data: (/faces|mirror|indices/.test(name) ? Int32Array : Float32Array).from(values.flat()) }]));
      const [sent, said] = [[], []];
      let hear = null;
      const desk = new Desk(sessionOf({ facts, arrays: typed }), { send: (m) => sent.push(m), on: (_, listener) => (hear = listener) }, (text) => said.push(text));
      desk.apply({ kind: "sliders", values: { jawOpen: 0.5 } });
      desk.apply({ kind: "sliders", values: { jawOpen: 0.25 } });
      const before = desk.session.positions.slice();
      hear({ error: "too wide", token: sent[1].token, entries: [], current: 0 });
      const { history } = desk.session;
      return { said, pending: desk.pending.length, steps: history.line().length - 1, weight: history.settings.sliders.jawOpen,
        same: before.every((value, k) => Math.abs(value - desk.session.positions[k]) < 1e-6) };
    };
    """
    arrays = {name: record.arrays[name] for name in record.arrays if name != "texture"}
    found = run_module(code, {"facts": dict(record.facts), "arrays": arrays})
    assert found == {"said": ["too wide"], "pending": 1, "steps": 1, "weight": 0.25, "same": True}


def test_widgets_that_are_gone_are_not_told(small_head: Mesh) -> None:
    session = SculptSession(small_head)
    told: list[dict[str, Any]] = []
    exchange = Exchange(session, told.append)
    session.apply(SetSliders({"jawOpen": 0.5}))
    del exchange
    gc.collect()
    session.undo()
    assert len(told) == 1
