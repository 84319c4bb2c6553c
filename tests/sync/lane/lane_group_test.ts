import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { FEATURE_GROUPS, ProtocolError } from "../../../src/protocol/mod.ts";
import { openRoot } from "../../../src/store/mod.ts";
import { rootRef } from "../../../src/sync/lane/lane_messages.ts";
import type { Lane } from "../../../src/sync/lane/lane.ts";
import { GROUP_LINKS_MAX, LinkGroup } from "../../../src/sync/link/link_group.ts";
import { type LinkHandler, PeerLink } from "../../../src/sync/link/peer_link.ts";
import { URGENCY } from "../../../src/sync/link/transport.ts";
import { openLaneRig } from "../../support/lane_rig.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { testHello } from "../../support/test_hello.ts";

const hello = testHello(FEATURE_GROUPS);
const common = { hello, clock: systemClock, logger: silentLogger };
const signal = new AbortController().signal;

/** A peer that answers nothing until it ends. */
const mute: LinkHandler = {
  handleMessage() {},
  handleRequest: () => new Promise(() => {}),
};

async function openGroup() {
  const [near, far] = memoryTransportPair();
  const [primary, peer] = await Promise.all([
    PeerLink.open(near, { ...common, handler: mute }),
    PeerLink.open(far, { ...common, handler: mute }),
  ]);
  return { group: new LinkGroup(primary), peer, far };
}

/** Keeps a lane busy until it is called off. */
function occupy(lane: Lane, path: string): Promise<string> {
  using root = openRoot(path);
  const files = [{ path: "f" as RelPath, size: 1, mtimeMs: 1, mode: 0o600 }];
  const job = { kind: "files", root: rootRef(root), session: 1, files } as const;
  return lane.run(job, { signal, events: {} }).then(({ kind }) => kind);
}

Deno.test("LinkGroup gives the next request to the lane with the least to do, or to its own thread", async () => {
  const path = Deno.makeTempDirSync();
  const { group } = await openGroup();
  const rigs = [await openLaneRig(mute), await openLaneRig(mute)];
  const [one, two] = rigs.map(({ lane }) => lane) as [Lane, Lane];
  assert.equal(group.pickLane(), undefined);
  for (const lane of [one, two]) assert.equal(group.addLane(lane), true);
  assert.equal(group.size, 3);
  const ends = [occupy(one, path)];
  assert.equal(group.pickLane(), two);
  ends.push(occupy(two, path));
  // Both have more to do than this thread.
  assert.equal(group.pickLane(), undefined);
  assert.equal(group.hasFreeLane, false);
  const request = { kind: "get-files", session: 1, files: [] } as const;
  const answers = [1, 2, 3].map(() => group.ask(request, URGENCY.largeFiles));
  assert.equal(group.hasFreeLane, true);
  assert.equal(group.pickLane(), one);
  assert.deepEqual([group.loadOf(one), group.loadOf(group.primary)], [1, 3]);
  // One that is to be replaced leaves its work to others, and gets no more.
  group.retire(one);
  assert.equal(await ends[0], "cut");
  assert.equal(group.pickLane(), two);
  for (const answer of await Promise.all(answers)) answer[Symbol.dispose]();
  await group[Symbol.asyncDispose]();
  assert.equal(await ends[1], "cut");
  for (const { lane } of rigs) assert.equal(await lane.ended, undefined);
  assert.equal(group.pickLane(), undefined);
  Deno.removeSync(path, { recursive: true });
});

Deno.test("LinkGroup takes in so many lanes and no more, and none once it has ended", async () => {
  const { group, peer } = await openGroup();
  const rigs = await Promise.all(Array.from({ length: GROUP_LINKS_MAX }, () => openLaneRig(mute)));
  const taken = rigs.map(({ lane }) => group.addLane(lane));
  assert.deepEqual(taken, [...Array(GROUP_LINKS_MAX - 1).fill(true), false]);
  await rigs[0]!.peer.close();
  await rigs[0]!.lane.ended;
  assert.equal(group.size, GROUP_LINKS_MAX - 1);
  await peer.close();
  for (const { lane } of rigs.slice(0, -1)) await lane.ended;
  assert.equal(group.addLane(rigs.at(-1)!.lane), false);
  await rigs.at(-1)!.peer.close();
});

Deno.test("LinkGroup ends with a peer that breaks the protocol on a lane", async () => {
  const { group, far } = await openGroup();
  const { lane, peer } = await openLaneRig(mute);
  group.addLane(lane);
  // Only requests for bytes are for a connection that joined.
  const shares = peer.send({ type: "shares-query" });
  assert.ok(await lane.ended instanceof ProtocolError);
  await shares.catch(() => {});
  assert.ok(await group.ended instanceof ProtocolError);
  assert.equal(far.closedWith?.code, 3);
});
