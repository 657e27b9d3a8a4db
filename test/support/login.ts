import { JwtService } from '@nestjs/jwt';
import { TEST_SETTINGS } from './service.js';

/** Headers of a user who has logged in, without the cost of the password. */
export const asUser = (user: { id: string }): Record<string, string> => {
  const token = new JwtService({ secret: TEST_SETTINGS.ENTOURAGE_JWT_SECRET }).sign(
    { type: 'access' },
    { subject: user.id, issuer: 'entourage', audience: 'entourage-api', expiresIn: 3600 },
  );
  return { Authorization: `Bearer ${token}` };
};

export const withKey = (key: string): Record<string, string> => ({ 'X-API-Key': key });
