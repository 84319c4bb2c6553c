import { equalBytes } from "../../base/bytes.ts";
import { CpaceRun } from "./cpace.ts";
import {
  decodeAssociatedData,
  encodeAssociatedData,
  type PairingMessage,
} from "./pairing_message.ts";
import type { PairingSecret } from "./pairing_secret.ts";
import { PairingSession, type PairingSessionOptions } from "./pairing_session.ts";
import { assertNotEchoed, cpaceInputs, type RunTags, runTags, tagsEqual } from "./pairing_proof.ts";
import type { AttemptBudget } from "./pairing_window.ts";

/** What the entering side is told. */
export interface EntererOptions extends PairingSessionOptions {
  readonly secret: PairingSecret;
  /** The fingerprint of an invitation; any other device is left before a word is said. */
  readonly expectedFingerprint?: Uint8Array;
  /** Shared by all runs of one entered code. */
  readonly targets: AttemptBudget;
}

type State =
  | { readonly waitsFor: "displayer_nonce" }
  | { readonly waitsFor: "displayer_share"; readonly run: CpaceRun }
  | { readonly waitsFor: "displayer_tag"; readonly tags: RunTags; readonly peerName: string }
  | { readonly waitsFor: "done" };

/** The side where the code was typed or the invitation pasted: it dials, and speaks first. */
export class EntererSession extends PairingSession {
  readonly #secret: PairingSecret;
  readonly #targets: AttemptBudget;
  readonly #associatedData: Uint8Array;
  #state: State = { waitsFor: "displayer_nonce" };

  constructor(options: EntererOptions) {
    super(options);
    const { ownFingerprint, peerFingerprint, expectedFingerprint, secret, seeds, nowMs } = options;
    this.#secret = secret;
    this.#targets = options.targets;
    this.#associatedData = encodeAssociatedData(options.ownName);
    if (equalBytes(ownFingerprint, peerFingerprint)) {
      this.fail("same_device", "this is the device that shows the code", nowMs);
    } else if (expectedFingerprint && !equalBytes(expectedFingerprint, peerFingerprint)) {
      this.fail("wrong_device", "the device reached is not the one that invited", nowMs);
    } else {
      this.transmit({ type: "enterer_nonce", method: secret.method, nonce: seeds.nonce });
    }
  }

  protected override handleStep(message: PairingMessage, nowMs: number): void {
    const state = this.#state;
    if (message.type !== state.waitsFor) throw new RangeError(`${message.type} out of order`);
    if (message.type === "displayer_nonce" && state.waitsFor === "displayer_nonce") {
      this.#sendShare(message.nonce);
    } else if (message.type === "displayer_share" && state.waitsFor === "displayer_share") {
      this.#sendTag(state.run, message, nowMs);
    } else if (message.type === "displayer_tag" && state.waitsFor === "displayer_tag") {
      if (!tagsEqual(message.tag, state.tags.displayer)) return this.refuse("wrong_secret", nowMs);
      this.#state = { waitsFor: "done" };
      this.requestTrust(state.peerName, this.#secret.method);
    } else {
      throw new RangeError(`${message.type} twice`);
    }
  }

  #sendShare(displayerNonce: Uint8Array): void {
    const { ownFingerprint, peerFingerprint, seeds } = this.options;
    assertNotEchoed(seeds.nonce, displayerNonce);
    const inputs = cpaceInputs(this.#secret.password(), {
      entererFingerprint: ownFingerprint,
      displayerFingerprint: peerFingerprint,
      entererNonce: seeds.nonce,
      displayerNonce,
    });
    const run = new CpaceRun(inputs, seeds.scalar);
    this.#state = { waitsFor: "displayer_share", run };
    const associatedData = this.#associatedData;
    this.transmit({ type: "enterer_share", share: run.share, associatedData });
  }

  /** The tag lets a rogue displayer check one guess: it counts against the targets of this code. */
  #sendTag(
    run: CpaceRun,
    displayer: Extract<PairingMessage, { type: "displayer_share" }>,
    nowMs: number,
  ): void {
    assertNotEchoed(run.share, displayer.share);
    const { name } = decodeAssociatedData(displayer.associatedData);
    const enterer = { share: run.share, associatedData: this.#associatedData };
    const tags = runTags(run, "displayer", { enterer, displayer });
    const refusal = this.#targets.spend(nowMs);
    if (refusal) return this.refuse(refusal, nowMs);
    this.#state = { waitsFor: "displayer_tag", tags, peerName: name };
    this.transmit({ type: "enterer_tag", tag: tags.enterer });
  }
}
