/**
 * Notices that nothing arrives on a connection on which something should: its answers are better asked
 * for elsewhere before QUIC has waited out its idle timeout.
 */
export class StallWatch {
  #receivedPackets = 0;

  /**
   * To be called now and then.
   *
   * @param load Requests that run on the connection.
   * @returns True if it has been silent since the call before, though requests run on it.
   */
  check(receivedPackets: number, load: number): boolean {
    const isSilent = receivedPackets === this.#receivedPackets;
    this.#receivedPackets = receivedPackets;
    return isSilent && load > 0;
  }
}
