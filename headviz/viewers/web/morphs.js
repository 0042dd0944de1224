// ARKit's 52 expressions, grouped and labelled for people. Left and right are the head's own.

const pair = (name, label) => [[`${name}Left`, `${label}, left`], [`${name}Right`, `${label}, right`]];

export const GROUPS = [
  {
    title: "Brows",
    morphs: [...pair("browDown", "Down"), ...pair("browOuterUp", "Outer end up"), ["browInnerUp", "Inner ends up"]],
  },
  {
    title: "Eyes",
    morphs: [
      ...pair("eyeBlink", "Blink"),
      ...pair("eyeSquint", "Squint"),
      ...pair("eyeWide", "Wide"),
      ...pair("eyeLookUp", "Look up"),
      ...pair("eyeLookDown", "Look down"),
      ...pair("eyeLookIn", "Look inward"),
      ...pair("eyeLookOut", "Look outward"),
    ],
  },
  {
    title: "Jaw",
    morphs: [
      ["jawOpen", "Open"],
      ["jawForward", "Forward"],
      ["jawLeft", "To the left"],
      ["jawRight", "To the right"],
    ],
  },
  {
    title: "Mouth",
    morphs: [
      ...pair("mouthSmile", "Smile"),
      ...pair("mouthFrown", "Frown"),
      ...pair("mouthDimple", "Dimple"),
      ...pair("mouthStretch", "Stretch"),
      ...pair("mouthPress", "Press"),
      ...pair("mouthUpperUp", "Lip up"),
      ...pair("mouthLowerDown", "Lip down"),
      ["mouthLeft", "To the left"],
      ["mouthRight", "To the right"],
      ["mouthRollUpper", "Roll upper lip"],
      ["mouthRollLower", "Roll lower lip"],
      ["mouthShrugUpper", "Shrug upper lip"],
      ["mouthShrugLower", "Shrug lower lip"],
      ["mouthFunnel", "Funnel"],
      ["mouthPucker", "Pucker"],
      ["mouthClose", "Close"],
    ],
  },
  {
    title: "Cheeks and nose",
    morphs: [...pair("cheekSquint", "Cheek squint"), ...pair("noseSneer", "Sneer"), ["cheekPuff", "Puff cheeks"]],
  },
  { title: "Tongue", morphs: [["tongueOut", "Out"]] },
];

const GROUP_OF = new Map(GROUPS.flatMap((group) => group.morphs.map(([name]) => [name, group])));

/** The groups that hold at least one of the names; names that ARKit does not know go to a group of their own. */
export function groupsOf(names) {
  const known = new Set(names);
  const groups = GROUPS.map((group) => ({ ...group, morphs: group.morphs.filter(([name]) => known.has(name)) }));
  const others = names.filter((name) => !GROUP_OF.has(name)).map((name) => [name, name]);
  return [...groups, { title: "Others", morphs: others }].filter((group) => group.morphs.length > 0);
}

/** "mouthSmileLeft" as words: "mouth smile left". */
export function words(name) {
  return name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

/** The strongest of the morph values as "mouth smile left 0.90", or "neutral expression". */
export function strongest(values) {
  let best = null;
  for (const [name, value] of Object.entries(values)) {
    if (value >= 0.005 && (best === null || value > best[1])) best = [name, value];
  }
  return best === null ? "neutral expression" : `${words(best[0])} ${best[1].toFixed(2)}`;
}
