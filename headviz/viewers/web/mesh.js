// A mesh that can be turned: the smallest viewer, and the pattern for others (docs/add-a-viewer.md).

import { count, number } from "./core/format.js";
import { surfaceOf } from "./core/space.js";

export default {
  kind: "mesh",
  initial: () => ({ wireframe: false }),
  steps: () => 1,
  caption({ facts }) {
    const counts = `${count(facts.vertices, "vertex", "vertices")} and ${count(facts.faces, "face")}`;
    return `${counts} in a box of ${facts.size.map((side) => number(side)).join(" × ")} m.`;
  },
  numbers: ({ facts: { vertices, faces, size } }) => ({ vertices, faces, size }),
  mount(shell, { arrays }) {
    const space = shell.space({ label: "Mesh", home: "front" });
    const surface = surfaceOf(arrays.vertices.data, arrays.faces.data);
    space.scene.add(surface);
    surface.geometry.computeBoundingBox();
    const { min, max } = surface.geometry.boundingBox;
    space.fit(min.toArray(), max.toArray());
    space.onPick(() => [surface], (hit) => shell.point(hit && hit.point.toArray()));
    shell.controls.toggle("wireframe", { label: "Wireframe" });
    return {
      draw(state) {
        surface.material.wireframe = state.wireframe;
        space.invalidate();
      },
    };
  },
};
