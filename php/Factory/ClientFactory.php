<?php

declare(strict_types=1);

namespace Proletarier\Factory;

use Proletarier\Client;
use Proletarier\ClientInterface;
use Proletarier\Extension;
use Proletarier\Settings;
use Proletarier\Testing\MockClient;

/**
 * Makes the client that the application's configuration describes; with `client.mock`, one that sends nothing.
 *
 * Like all factories here it names no interface of a container, and works with every ServiceManager and PSR-11.
 */
final class ClientFactory
{
    public function __invoke($container, $name = null, $options = null): ClientInterface
    {
        $settings = Settings::of($container);
        $client = $settings['client'] ?? [];
        $broker = $settings['broker'] ?? [];
        if ($client['mock'] ?? false) {
            return new MockClient(self::bytes($client['max_message_size'] ?? $broker['max_message_size'] ?? MockClient::MAX_MESSAGE_SIZE));
        }
        Extension::assertLoaded();
        $connect = $client['connect'] ?? $broker['bind'] ?? null;
        unset($client['connect'], $client['mock']);
        $client += array_intersect_key($settings, ['state_dir' => 1, 'runtime_dir' => 1, 'permissions' => 1])
            + array_intersect_key($broker, ['max_message_size' => 1, 'curve' => 1]);

        return new Client($connect, $client);
    }

    /**
     * A size as settings have it: bytes, or a string such as "2M".
     */
    private static function bytes(int|string $size): int
    {
        $shift = ['K' => 10, 'M' => 20, 'G' => 30][strtoupper(substr((string) $size, -1))] ?? 0;

        return (int) $size << $shift;
    }
}
