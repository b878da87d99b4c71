<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\ClientInterface;
use Proletarier\Confirm;
use Proletarier\Event;
use Proletarier\EventInterface;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;
use Proletarier\Tests\Signatures;

/**
 * What the extension brings, as Reflection, the stubs and the package's stand-ins say it.
 */
final class SurfaceTest extends TestCase
{
    public function testStubsAreTheExtensions(): void
    {
        $root = dirname(__DIR__, 2);
        $generated = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), "$root/stubs/generate.php"]);

        self::assertSame(0, $generated->status, $generated->errors);
        self::assertSame(
            $generated->output,
            file_get_contents("$root/stubs/proletarier.stub.php"),
            'make them anew: php -d extension=... stubs/generate.php > stubs/proletarier.stub.php'
        );
    }

    /**
     * The package's files of the same names are loaded where the extension is absent: an application must not notice.
     */
    public function testThePackagesStandInsAreAlike(): void
    {
        $names = array_filter(
            array_keys((new \ReflectionExtension('proletarier'))->getClasses()),
            static fn (string $name) => is_file(dirname(__DIR__, 2) . '/php/' . strtr(substr($name, 12), '\\', '/') . '.php')
        );
        self::assertContains(ClientInterface::class, $names);
        $code = sprintf('echo json_encode(array_map(%s::of(...), %s));', '\\' . Signatures::class, var_export($names, true));

        $without = PhpProcess::run(['-n', '-r', sprintf("require '%s'; %s", dirname(__DIR__) . '/bootstrap.php', $code)]);

        self::assertSame(0, $without->status, $without->errors . $without->output);
        self::assertSame(array_map(Signatures::of(...), $names), json_decode($without->output, true));
    }

    public function testInternalReflectionWorks(): void
    {
        $shown = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '--re', 'proletarier']);

        self::assertSame(0, $shown->status, $shown->errors);
        self::assertStringContainsString('final class Proletarier\Client implements Proletarier\ClientInterface', $shown->output);
        self::assertStringContainsString('function proletarier_run', $shown->output);
        self::assertSame('', $shown->errors);
    }

    public function testPhpinfoTellsTheVersions(): void
    {
        $shown = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '--ri', 'proletarier']);

        $version = preg_quote((string) phpversion('proletarier'), '~');
        self::assertMatchesRegularExpression("~^Version => $version\$~m", $shown->output);
        self::assertMatchesRegularExpression('~^ZeroMQ library => 4\.\d+\.\d+$~m', $shown->output);
        self::assertMatchesRegularExpression('~^Settings => ~m', $shown->output);
    }

    public function testConfirmIsAnEnum(): void
    {
        self::assertSame(['none', 'deferred', 'accepted', 'synced'], array_column(Confirm::cases(), 'value'));
        self::assertSame(Confirm::Accepted, Confirm::from('accepted'));
        self::assertNull(Confirm::tryFrom('sometimes'));
    }

    public function testEventsAreMadeByWorkersOnly(): void
    {
        self::assertTrue(is_a(Event::class, EventInterface::class, true));

        $this->expectException(\Exception::class);
        new Event();
    }

    public function testTheClientIsFinalAndNotSerializable(): void
    {
        self::assertTrue((new \ReflectionClass(\Proletarier\Client::class))->isFinal());

        $this->expectException(\Exception::class);
        serialize(new \Proletarier\Client('ipc:///nonexistent/events.sock'));
    }
}
