/** Two spellings of one address are one account. */
export const normalizeEmail = (email: string): string => email.trim().normalize('NFC').toLowerCase();
