/**
 * Texts and byte strings that clients read piece by piece with `qXfer`: made when the first piece is asked for and kept for the rest, so
 * that all pieces are of one version.
 */

export interface Document {
  /** Object and annex. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** For attribute values and text. Characters that XML 1.0 does not allow become `?`: the names come from the guest. */
export function escapeXml(text: string): string {
  const safe = text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '?');
  return safe.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
