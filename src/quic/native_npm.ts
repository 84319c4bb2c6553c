/** `#native` when run from sources: npm's own loader picks the platform's addon. */
import native from "@matrixai/quic/native";
import type { QuicBinding } from "./binding.ts";

export default native.quiche as unknown as QuicBinding;
