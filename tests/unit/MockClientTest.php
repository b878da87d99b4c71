<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Testing\MockClient;

/**
 * The original's MockClient.
 */
final class MockClientTest extends TestCase
{
    public function testCapturesOnlyWhenAsked(): void
    {
        $client = new MockClient();
        $client->trigger('before');
        $client->captureMessages();
        $client->trigger('größe', ['a' => ['b' => 1.0]]);
        $client->captureMessages(false);
        $client->trigger('after');

        self::assertSame(['{"name":"größe","params":{"a":{"b":1.0}}}'], $client->getCapturedMessages());
        self::assertSame(0, $client->flush());
        self::assertSame(0, $client->spooled());
    }
}
