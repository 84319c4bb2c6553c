import { equalBytes } from "../../base/bytes.ts";
import { CpaceRun } from "./cpace.ts";
import {
  decodeAssociatedData,
  encodeAssociatedData,
  type PairingMessage,
} from "./pairing_message.ts";
import type { PairingMethod, PairingSecret } from "./pairing_secret.ts";
import { PairingSession, type PairingSessionOptions } from "./pairing_session.ts";
import { assertNotEchoed, cpaceInputs, type RunTags, runTags, tagsEqual } from "./pairing_proof.ts";
import { type PairingWindow, WindowRun } from "./pairing_window.ts";

/** What the displaying side is told. */
export interface DisplayerOptions extends PairingSessionOptions {
  /** What this window shows: a code, an invitation's token, or both. The enterer says which it has. */
  readonly secrets: readonly PairingSecret[];
  /** The limits that all runs of this code share. */
  readonly window: PairingWindow;
  /** The peer's IP address. */
  readonly peerAddress: string;
}

type State =
  | { readonly waitsFor: "enterer_nonce" }
  | { readonly waitsFor: "enterer_share"; readonly run: CpaceRun; readonly method: PairingMethod }
  | {
    readonly waitsFor: "enterer_tag";
    readonly tags: RunTags;
    readonly peerName: string;
    readonly method: PairingMethod;
  }
  | { readonly waitsFor: "done" };

/** The side that shows the code: it listens, answers, and keeps the limits. */
export class DisplayerSession extends PairingSession {
  readonly #secrets: readonly PairingSecret[];
  readonly #associatedData: Uint8Array;
  #windowRun: WindowRun | undefined;
  #state: State = { waitsFor: "enterer_nonce" };

  constructor(options: DisplayerOptions) {
    super(options);
    const { ownFingerprint, peerFingerprint, window, peerAddress, nowMs } = options;
    this.#secrets = options.secrets;
    this.#associatedData = encodeAssociatedData(options.ownName);
    if (equalBytes(ownFingerprint, peerFingerprint)) {
      this.fail("same_device", "the code was entered on this same device", nowMs);
      return;
    }
    const run = window.beginRun(peerAddress, nowMs);
    if (run instanceof WindowRun) this.#windowRun = run;
    else this.refuse(run, nowMs);
  }

  protected override handleStep(message: PairingMessage, nowMs: number): void {
    const state = this.#state;
    if (message.type !== state.waitsFor) throw new RangeError(`${message.type} out of order`);
    if (message.type === "enterer_nonce" && state.waitsFor === "enterer_nonce") {
      this.#sendNonce(message.method, message.nonce, nowMs);
    } else if (message.type === "enterer_share" && state.waitsFor === "enterer_share") {
      this.#sendShare(state.run, state.method, message, nowMs);
    } else if (message.type === "enterer_tag" && state.waitsFor === "enterer_tag") {
      if (!tagsEqual(message.tag, state.tags.enterer)) return this.refuse("wrong_secret", nowMs);
      this.#windowRun?.succeed();
      this.#state = { waitsFor: "done" };
      this.transmit({ type: "displayer_tag", tag: state.tags.displayer });
      this.requestTrust(state.peerName, state.method);
    } else {
      throw new RangeError(`${message.type} twice`);
    }
  }

  protected override handleEnd(nowMs: number): void {
    this.#windowRun?.end(nowMs);
  }

  #sendNonce(method: PairingMethod, entererNonce: Uint8Array, nowMs: number): void {
    const { ownFingerprint, peerFingerprint, seeds } = this.options;
    assertNotEchoed(seeds.nonce, entererNonce);
    const secret = this.#secrets.find((offered) => offered.method === method);
    if (!secret) return this.refuse("wrong_secret", nowMs);
    const inputs = cpaceInputs(secret.password(), {
      entererFingerprint: peerFingerprint,
      displayerFingerprint: ownFingerprint,
      entererNonce,
      displayerNonce: seeds.nonce,
    });
    this.#state = {
      waitsFor: "enterer_share",
      run: new CpaceRun(inputs, seeds.scalar),
      method,
    };
    this.transmit({ type: "displayer_nonce", nonce: seeds.nonce });
  }

  /** The attempt is spent before the share leaves: whoever aborts now has had his guess. */
  #sendShare(
    run: CpaceRun,
    method: PairingMethod,
    enterer: Extract<PairingMessage, { type: "enterer_share" }>,
    nowMs: number,
  ): void {
    assertNotEchoed(run.share, enterer.share);
    const { name } = decodeAssociatedData(enterer.associatedData);
    const displayer = { share: run.share, associatedData: this.#associatedData };
    const tags = runTags(run, "enterer", { enterer, displayer });
    const refusal = this.#windowRun?.spend(nowMs);
    if (refusal) return this.refuse(refusal, nowMs);
    this.#state = { waitsFor: "enterer_tag", tags, peerName: name, method };
    this.transmit({ type: "displayer_share", ...displayer });
  }
}
